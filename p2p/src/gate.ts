/** Who gets in: peers that the node knows from the registry. */

import type { Connection } from '@libp2p/interface'
import { reasonOf, SidecarError } from './errors.ts'

/** How long an answer holds for a connection. */
const TRUSTED_MS = 10_000
/** The node itself waits up to 1 s for its watch to name the peer. */
const ASK_TIMEOUT_MS = 3_000

export type Answer = 'Known' | 'Unknown' | 'Unavailable'

export interface GateInit {
  nodeUrl: URL
  token: string
  asked: (answer: Answer) => void
  now?: () => number
}

export interface Gate {
  /**
   * Lets the peer of a connection pass.
   *
   * @throws SidecarError PeerRefused, PeerNodeUnavailable
   */
  admit(connection: Connection): Promise<void>
}

interface Asked {
  answer: Promise<Answer>
  until: number
}

export function createGate({ nodeUrl, token, asked, now = () => performance.now() }: GateInit): Gate {
  const asking = new WeakMap<Connection, Asked>()

  async function ask(peerId: string): Promise<Answer> {
    const answer = await fetch(new URL(`/isek/peers/${peerId}`, nodeUrl), {
      headers: { 'Isek-Token': token },
      signal: AbortSignal.timeout(ASK_TIMEOUT_MS)
    })
    await answer.body?.cancel()
    return answer.status === 200 ? 'Known' : answer.status === 404 ? 'Unknown' : 'Unavailable'
  }

  return {
    async admit(connection) {
      const peerId = connection.remotePeer.toString()
      let current = asking.get(connection)
      if (current === undefined || current.until <= now()) {
        current = { answer: ask(peerId), until: now() + TRUSTED_MS }
        asking.set(connection, current)
        current.answer.then(asked, () => asked('Unavailable'))
      }
      let answer: Answer
      let cause: unknown
      try {
        answer = await current.answer
      } catch (error) {
        answer = 'Unavailable'
        cause = error
      }
      if (answer === 'Known') {
        return
      }
      asking.delete(connection)
      if (answer === 'Unknown') {
        throw new SidecarError(
          'PeerRefused',
          `peer ${peerId} is not in the registry of the peer it called`,
          'both must be registered in the same mesh; a peer that just started may try again'
        )
      }
      throw new SidecarError(
        'PeerNodeUnavailable',
        `the sidecar's node does not say who its peers are${cause === undefined ? '' : `: ${reasonOf(cause)}`}`,
        'try another replica, or again once the node is ready',
        'No'
      )
    }
  }
}
