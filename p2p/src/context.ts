/** How others reach this sidecar, and waiting for that to change: relays come and go. */

import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'

/** So long a request waits for a change: shorter than HTTP clients and proxies do. */
const WAIT_MS = 25_000

export interface Addresses {
  peer_id: string
  /** The direct one. */
  p2p_address: string
  /** All that others may dial, the direct one first. */
  p2p_addresses: string[]
  /** Another one whenever the addresses have changed. */
  version: string
  /** Fingerprints of the private network keys that are accepted, the one that is dialled with first; none: whoever comes. */
  network_keys: readonly string[]
}

export interface Context {
  now(): Addresses
  /** Waits until the version is another one, 25 s at most; none given: not at all. */
  changed(version: string | null, signal: AbortSignal): Promise<void>
  /** To be called after a change. */
  change(): void
}

export interface ContextInit extends Pick<Addresses, 'peer_id' | 'p2p_address'> {
  relayed: () => string[]
  networkKeys: () => readonly string[]
}

export function createContext({ relayed, networkKeys, ...direct }: ContextInit): Context {
  let version = randomUUID()
  let waiting = new AbortController()
  return {
    now: () => ({ ...direct, p2p_addresses: [direct.p2p_address, ...relayed()], version, network_keys: networkKeys() }),
    async changed(known, signal) {
      if (known === version) {
        await pause(WAIT_MS, undefined, { signal: AbortSignal.any([waiting.signal, signal]), ref: false }).catch(() => {})
      }
    },
    change() {
      version = randomUUID()
      waiting.abort()
      waiting = new AbortController()
    }
  }
}
