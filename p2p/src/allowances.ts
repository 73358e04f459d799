/** How much each peer may send: one allowance for a peer, over however many connections it sends. */

import { type Allowance, createAllowance } from './splice.ts'

export interface PeerAllowances {
  /** What a peer may send; `release` is called once it sends nothing more there. */
  use(peerId: string): { allowance: Allowance; release: () => void }
  /** Peers that are remembered. */
  readonly size: number
}

export function createPeerAllowances(perSecond: number, now: () => number = () => performance.now()): PeerAllowances {
  const known = new Map<string, { allowance: Allowance; users: number }>()

  /** Who comes again too soon finds what he left: a new connection is worth no new allowance. */
  function forget(): void {
    for (const [peerId, { allowance, users }] of known) {
      if (users === 0 && allowance.isFull()) {
        known.delete(peerId)
      }
    }
  }

  return {
    use(peerId) {
      forget()
      const entry = known.get(peerId) ?? { allowance: createAllowance(perSecond, now), users: 0 }
      known.set(peerId, entry)
      entry.users += 1
      return {
        allowance: entry.allowance,
        release() {
          entry.users -= 1
        }
      }
    },
    get size() {
      return known.size
    }
  }
}
