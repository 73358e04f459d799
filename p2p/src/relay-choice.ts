/** Which of the known relays a sidecar can be reached through: a decision, without the network. */

/** Two, so that the end of one is bridged at once; each more would cost every record its bytes. */
export const WANTED_RELAYS = 2

/** Another relay has to be faster by this factor and by as many milliseconds: records and connections are not moved for less. */
const WORTH_A_CHANGE = { factor: 0.7, ms: 5 }

export interface Candidate {
  peerId: string
  /** The time of a ping in milliseconds, smoothed; undefined where it does not answer. */
  rtt: number | undefined
}

/** The peer ids of the relays to use, the fastest first: those in use, unless they are gone or another one is much faster. */
export function chooseRelays(candidates: readonly Candidate[], inUse: readonly string[]): string[] {
  const alive = candidates
    .filter((each): each is Candidate & { rtt: number } => each.rtt !== undefined)
    .sort((one, other) => one.rtt - other.rtt)
  const kept = alive.filter(({ peerId }) => inUse.includes(peerId)).slice(0, WANTED_RELAYS)
  const others = alive.filter((each) => !kept.includes(each))
  const chosen = [...kept, ...others.slice(0, WANTED_RELAYS - kept.length)]
  const best = others.find((each) => !chosen.includes(each))
  const worst = kept.at(-1)
  if (
    best !== undefined &&
    worst !== undefined &&
    best.rtt < worst.rtt * WORTH_A_CHANGE.factor &&
    best.rtt < worst.rtt - WORTH_A_CHANGE.ms
  ) {
    chosen.splice(chosen.indexOf(worst), 1, best)
  }
  return chosen.sort((one, other) => one.rtt - other.rtt).map(({ peerId }) => peerId)
}
