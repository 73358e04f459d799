/** Keeps the sidecar reachable through relays: connects to those it knows, and reserves at the nearest. */

import { setTimeout as pause } from 'node:timers/promises'
import type { Connection, Libp2p, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Ping } from '@libp2p/ping'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { reasonOf } from './errors.ts'
import type { Log } from './log.ts'
import { chooseRelays } from './relay-choice.ts'
import type { KnownRelays } from './relays-file.ts'

/** So often the file is read and each relay pinged: one that went silent is noticed within this and the time of a ping. */
const ROUND_MS = 5_000
/** A relay that does not answer a ping, or a dial, for so long is taken for dead. */
const ANSWER_MS = 3_000
/** A relay that refused a reservation, as one that is full, is left alone for so long. */
const REST_MS = 10_000
/** The share of a new measurement in the smoothed one. */
const SMOOTHING = 0.3
/** Addresses told of each relay: how this sidecar reached it, and what the relay announces. */
const MAX_ADDRESSES_OF_RELAY = 3

/** libp2p's client of relays, as far as it is used here. */
export interface Reservations extends EventTarget {
  /** The reservation there is, unless its connection is gone or former: then a new one. `connection` is the id of one. */
  addRelay(relay: PeerId, type: 'configured'): Promise<{ details: { connection: string; reservation: { addrs: Uint8Array[] } } }>
  /** Relays that are never asked again, because they once did not speak the protocol: as any does that is just ending. */
  relayFilter: { remove(relay: Uint8Array): boolean }
}

export interface RelaysInit {
  libp2p: Libp2p<{ ping: Ping }>
  reservations: Reservations
  /** Whether a relay is to be used over a new connection in the place of this one, because the private network key has changed. */
  isFormer?: ((connection: Connection) => boolean) | undefined
  /** What the file has new; undefined: nothing. */
  readFile: () => Promise<KnownRelays | undefined>
  log: Log
}

export interface Relays {
  /** How peers reach this sidecar through relays. */
  addresses(): string[]
  /** Relays by what is known of them. */
  counts(): { known: number; answering: number; reserved: number }
  /** Whether peers call this sidecar over the connection. */
  isReservedOver(connection: Connection): boolean
  start(): void
  stop(): Promise<void>
}

interface Relay {
  peerId: PeerId
  ways: Multiaddr[]
  rtt: number | undefined
  /** Where peers find the relay, and the id of the connection that they come over, while there is a reservation. */
  reserved: { addresses: string[]; over: string } | undefined
  /** The id of the connection that the reservation is being moved from. */
  movedFrom: string | undefined
  /** Until then it is not asked for a reservation, because it refused one. */
  restsUntil: number
}

export function createRelays({ libp2p, reservations, isFormer = () => false, readFile, log }: RelaysInit): Relays {
  const relays = new Map<string, Relay>()
  const stopping = new AbortController()
  const own = libp2p.peerId.toString()
  let chosen: string[] = []
  let told: string[] = []
  let wake = new AbortController()
  let running: Promise<void> | undefined

  function addresses(): string[] {
    return chosen.flatMap((id) => (relays.get(id)?.reserved?.addresses ?? []).map((relay) => `${relay}/p2p-circuit/p2p/${own}`))
  }

  function tell(): void {
    const now = addresses()
    if (now.join() !== told.join()) {
      told = now
      log.info('reachable through relays', { addresses: now.join(' ') })
    }
  }

  function take(known: KnownRelays): void {
    for (const id of relays.keys()) {
      if (!known.has(id)) {
        relays.delete(id)
      }
    }
    for (const [id, ways] of known) {
      const before = relays.get(id)
      if (id === own) {
        log.warning('a relay in the file is this sidecar itself')
      } else if (before === undefined) {
        relays.set(id, { peerId: peerIdFromString(id), ways, rtt: undefined, reserved: undefined, movedFrom: undefined, restsUntil: 0 })
      } else {
        before.ways = ways
      }
    }
  }

  async function connect({ peerId, ways }: Relay): Promise<Connection> {
    const open = libp2p.getConnections(peerId).find((each) => each.status === 'open' && !isFormer(each))
    return open ?? (await libp2p.dial(ways, { signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(ANSWER_MS)]), force: true }))
  }

  async function measure(relay: Relay): Promise<void> {
    let connection: Connection | undefined
    try {
      connection = await connect(relay)
      const begun = performance.now()
      await libp2p.services.ping.ping(relay.peerId, { signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(ANSWER_MS)]) })
      const took = performance.now() - begun
      relay.rtt = relay.rtt === undefined ? took : relay.rtt + SMOOTHING * (took - relay.rtt)
    } catch (error) {
      if (relay.rtt !== undefined) {
        log.warning('a relay does not answer', { relay: relay.peerId.toString(), reason: reasonOf(error) })
      } else {
        connection?.abort(error as Error) // silent for the second time: calls over it would wait for ever
      }
      relay.rtt = undefined
    }
  }

  function isToMove({ peerId, reserved }: Relay): boolean {
    return libp2p.getConnections(peerId).some((each) => each.id === reserved?.over && isFormer(each))
  }

  async function reserve(relay: Relay): Promise<void> {
    if (relay.reserved !== undefined && !isToMove(relay)) {
      return
    }
    relay.movedFrom = relay.reserved?.over
    try {
      reservations.relayFilter.remove(relay.peerId.toMultihash().bytes)
      const { details } = await reservations.addRelay(relay.peerId, 'configured')
      const addresses = details.reservation.addrs.slice(0, MAX_ADDRESSES_OF_RELAY).map((bytes) => multiaddr(bytes).toString())
      relay.reserved = { addresses, over: details.connection }
    } catch (error) {
      log.warning('a relay gives no reservation', { relay: relay.peerId.toString(), reason: reasonOf(error) })
      relay.reserved = undefined
      relay.restsUntil = Date.now() + REST_MS
    } finally {
      relay.movedFrom = undefined
    }
  }

  async function round(): Promise<void> {
    const known = await readFile()
    if (known !== undefined) {
      take(known)
    }
    await Promise.all([...relays.values()].map(measure))
    do {
      const candidates = [...relays].map(([peerId, { rtt, restsUntil }]) => ({ peerId, rtt: restsUntil > Date.now() ? undefined : rtt }))
      chosen = chooseRelays(candidates, chosen)
      await Promise.all(chosen.map((id) => relays.get(id)).map((relay) => relay && reserve(relay)))
      tell()
    } while (chosen.some((id) => (relays.get(id)?.restsUntil ?? 0) > Date.now())) // refused: the next one, at once
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      wake = new AbortController()
      try {
        await round()
        await pause(ROUND_MS, undefined, { signal: AbortSignal.any([stopping.signal, wake.signal]), ref: false })
      } catch (error) {
        if (!wake.signal.aborted && !stopping.signal.aborted) {
          log.error('looking after the relays failed', { reason: reasonOf(error) })
          await pause(ROUND_MS, undefined, { ref: false })
        }
      }
    }
  }

  function lost(event: Event): void {
    const { relay, details } = (event as CustomEvent<{ relay: PeerId; details: { connection: string } }>).detail
    const known = relays.get(relay.toString())
    if (known !== undefined && known.movedFrom !== details.connection) {
      known.reserved = undefined
      known.rtt = undefined
      tell()
      wake.abort()
    }
  }

  return {
    addresses,
    counts() {
      const all = [...relays.values()]
      return {
        known: all.length,
        answering: all.filter(({ rtt }) => rtt !== undefined).length,
        reserved: all.filter(({ reserved }) => reserved !== undefined).length
      }
    },
    isReservedOver: ({ id }) => chosen.some((relay) => relays.get(relay)?.reserved?.over === id),
    start() {
      reservations.addEventListener('relay:removed', lost)
      running = run()
    },
    async stop() {
      stopping.abort(new Error('the sidecar is shutting down'))
      reservations.removeEventListener('relay:removed', lost)
      await running
    }
  }
}
