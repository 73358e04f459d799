/** How much of a sidecar one peer may take, so that something is left for the others. */

import { SidecarError } from './errors.ts'

/** More than a node answers in a second: this is against a peer that has run wild, not a share for each. */
export const CALLS_PER_SECOND = 2_000
/** Calls of one peer that run at once, over however many connections: as many as a sidecar opens to one peer. */
export const MAX_CALLS_OF_PEER = 1_024
/** Calls of all peers that run at once: each may hold windows of 1 MiB while its reader is slow. */
export const MAX_CALLS = 4_096

/** Peers with nothing running are forgotten once there are so many. */
const MAX_REMEMBERED = 1_000

interface Peer {
  running: number
  /** Calls that it may begin now; whole ones count. */
  tokens: number
  /** When tokens were last added, in milliseconds. */
  at: number
}

export interface CallLimits {
  /**
   * Counts a call of a peer that begins; the function it returns, its end.
   *
   * @throws SidecarError TooManyCalls
   */
  begin(peerId: string): () => void
}

export function createCallLimits(now: () => number = () => performance.now()): CallLimits {
  const peers = new Map<string, Peer>()
  let running = 0

  function refresh(peer: Peer): void {
    peer.tokens = Math.min(CALLS_PER_SECOND, peer.tokens + ((now() - peer.at) * CALLS_PER_SECOND) / 1_000)
    peer.at = now()
  }

  function forgetIdle(): void {
    for (const [peerId, peer] of peers) {
      refresh(peer)
      if (peer.running === 0 && peer.tokens === CALLS_PER_SECOND) {
        peers.delete(peerId)
      }
    }
  }

  return {
    begin(peerId) {
      let peer = peers.get(peerId)
      if (peer === undefined) {
        if (peers.size >= MAX_REMEMBERED) {
          forgetIdle()
        }
        peer = { running: 0, tokens: CALLS_PER_SECOND, at: now() }
        peers.set(peerId, peer)
      }
      refresh(peer)
      if (peer.tokens < 1) {
        throw tooMany(`peer ${peerId} began more than ${CALLS_PER_SECOND} calls within a second`)
      }
      if (peer.running >= MAX_CALLS_OF_PEER) {
        throw tooMany(`${MAX_CALLS_OF_PEER} calls of peer ${peerId} run already`)
      }
      if (running >= MAX_CALLS) {
        throw tooMany(`${MAX_CALLS} calls run already`)
      }
      peer.tokens -= 1
      peer.running += 1
      running += 1
      const counted = peer
      return () => {
        counted.running -= 1
        running -= 1
      }
    }
  }
}

function tooMany(message: string): SidecarError {
  return new SidecarError('TooManyCalls', message, 'try another replica, or again after a second', 'No')
}
