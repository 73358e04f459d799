/** The relays that a sidecar may use, from a file that may change while it runs. */

import { readFile } from 'node:fs/promises'
import { CODE_P2P, type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { reasonOf } from './errors.ts'
import type { Log } from './log.ts'

/** More would cost a connection and pings each; a mesh has a few in each of its clusters. */
export const MAX_RELAYS = 16

/** The addresses of each relay, by its peer id, in the order of the file. */
export type KnownRelays = Map<string, Multiaddr[]>

/**
 * Reads one multiaddr a line, with `/p2p/<peer id>` at its end; `#` begins a comment. Lines of one peer id are ways to one relay.
 *
 * A line that cannot be used is told and passed over: the other relays are needed all the same.
 */
export function parseRelays(text: string, log: Pick<Log, 'warning'>): KnownRelays {
  const relays: KnownRelays = new Map()
  for (const line of text.split('\n')) {
    const written = line.replace(/#.*/, '').trim()
    if (written === '') {
      continue
    }
    try {
      const address = multiaddr(written)
      const last = address.getComponents().at(-1)
      if (last?.code !== CODE_P2P || last.value === undefined) {
        throw new Error('it does not end with /p2p/<peer id>')
      }
      const ways = relays.get(last.value)
      if (ways !== undefined) {
        ways.push(address)
      } else if (relays.size < MAX_RELAYS) {
        relays.set(last.value, [address])
      } else {
        throw new Error(`there are ${MAX_RELAYS} before it already`)
      }
    } catch (error) {
      log.warning('a relay is passed over', { line: written.slice(0, 300), reason: reasonOf(error) })
    }
  }
  return relays
}

/** What the file says now; the function remembers the last text, and gives undefined where it is the same. */
export function createRelaysFile(path: string, log: Pick<Log, 'warning'>): () => Promise<KnownRelays | undefined> {
  let last: string | undefined
  return async () => {
    let text = ''
    try {
      text = await readFile(path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        log.warning('the file with the relays cannot be read', { path, reason: reasonOf(error) })
        return undefined
      }
    }
    if (text === last) {
      return undefined
    }
    last = text
    return parseRelays(text, log)
  }
}
