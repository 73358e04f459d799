/** Connections to peers: directly where that works, through a relay where it does not. */

import { setTimeout as pause } from 'node:timers/promises'
import type { Connection, Libp2p } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Multiaddr } from '@multiformats/multiaddr'
import { reasonOf } from './errors.ts'
import { closeConnection, DIAL_TIMEOUT_MS, HTTP_PROTOCOL } from './libp2p.ts'
import type { Log } from './log.ts'
import { isRelayed } from './multiaddrs.ts'

/** A direct dial within a cluster takes milliseconds, across an ocean 300: RFC 8305 waits about as long for the better family. */
const HEAD_START_MS = 300
/** Between the relays of a peer: one that is dead does not hold up the next. */
const STAGGER_MS = 500
/** A peer that cannot be dialled directly is called through its relay for so long, before its address is tried again. */
const UNREACHABLE_MS = 60_000
/** A relayed connection that carries no call is closed after this. */
const IDLE_MS = 60_000
const SWEEP_MS = 5_000
const MAX_REMEMBERED = 10_000

export interface Target {
  peerId: string
  direct: Multiaddr[]
  /** Through relays, the preferred first. */
  relayed: Multiaddr[]
}

export interface DialerInit {
  libp2p: Libp2p
  /** Dials an address as it is: libp2p itself tries the addresses of one peer one after the other. */
  dialRelayed: (address: Multiaddr, signal: AbortSignal) => Promise<Connection>
  /** Whether calls are to go out over a new connection in the place of this one, because the private network key has changed. */
  isFormer?: ((connection: Connection) => boolean) | undefined
  log: Log
  now?: () => number
}

export interface Dialer {
  /** The best connection that there is, else a new one. */
  connect(target: Target, signal: AbortSignal): Promise<Connection>
  /** Whether another connection to its peer is to be used in its place: one with the present key, or a direct one. */
  isOutdone(connection: Connection): boolean
  start(): void
  stop(): void
}

export function createDialer({ libp2p, dialRelayed, isFormer = () => false, log, now = () => performance.now() }: DialerInit): Dialer {
  /** Until when the direct addresses of a peer are not tried, where it has a relay. */
  const unreachable = new Map<string, number>()
  const dialling = new Map<string, Promise<Connection>>()
  const directly = new Map<string, Promise<Connection>>()
  /** Those that this side has opened. */
  const relayed = new Set<Connection>()
  const idleSince = new WeakMap<Connection, number>()
  const stopping = new AbortController()
  let sweeper: NodeJS.Timeout | undefined

  function existing(peerId: string): Connection | undefined {
    const open = libp2p.getConnections(peerIdFromString(peerId)).filter((each) => each.status === 'open' && !isFormer(each))
    return open.find((connection) => !isRelayed(connection)) ?? open[0]
  }

  function isUnreachable(peerId: string): boolean {
    return (unreachable.get(peerId) ?? 0) > now()
  }

  function dialDirectly({ peerId, direct }: Target): Promise<Connection> {
    return shared(directly, peerId, async () => {
      try {
        const signal = within(DIAL_TIMEOUT_MS)
        const present = await libp2p.dial(direct, { signal })
        const connection = isFormer(present) ? await libp2p.dial(direct, { signal, force: true }) : present
        unreachable.delete(peerId)
        return connection
      } catch (error) {
        if (unreachable.size >= MAX_REMEMBERED) {
          unreachable.clear()
        }
        unreachable.set(peerId, now() + UNREACHABLE_MS)
        throw error
      }
    })
  }

  /** The first relay that answers, each a little after the one before it. */
  async function dialThroughRelays(addresses: Multiaddr[]): Promise<Connection> {
    const won = new AbortController()
    const signal = AbortSignal.any([won.signal, within(DIAL_TIMEOUT_MS)])
    const failed = addresses.map(() => new AbortController())
    try {
      return await Promise.any(
        addresses.map(async (address, index) => {
          const before = failed[index - 1]
          try {
            if (before !== undefined) {
              await pause(STAGGER_MS * index, undefined, { signal: AbortSignal.any([signal, before.signal]), ref: false }).catch(() => {})
            }
            return await dialRelayed(address, signal)
          } catch (error) {
            failed[index]?.abort()
            throw error
          }
        })
      )
    } finally {
      won.abort()
    }
  }

  async function dial(target: Target): Promise<Connection> {
    const { peerId, relayed } = target
    if (relayed.length === 0) {
      return await dialDirectly(target)
    }
    const hasDirect = target.direct.length > 0
    const first = hasDirect && !isUnreachable(peerId) ? dialDirectly(target) : undefined
    const headStart = first && (await Promise.race([first.catch(() => undefined), pause(HEAD_START_MS, undefined, { ref: false })]))
    if (headStart !== undefined) {
      return headStart
    }
    const through = dialThroughRelays(relayed)
    try {
      return await Promise.any(first === undefined ? [through] : [first, through])
    } catch {
      const last = first ?? (hasDirect ? dialDirectly(target) : undefined) // it may be there again
      try {
        return await (last ?? through)
      } catch {
        const directly = last === undefined ? '' : `directly: ${await reason(last)}; `
        throw new Error(`${directly}through ${relayed.length === 1 ? 'its relay' : 'its relays'}: ${await reason(through)}`)
      }
    }
  }

  function within(milliseconds: number): AbortSignal {
    return AbortSignal.any([stopping.signal, AbortSignal.timeout(milliseconds)])
  }

  function isOutdone(connection: Connection): boolean {
    const direct = (each: Connection) => each.status === 'open' && !isRelayed(each)
    return isFormer(connection) || (isRelayed(connection) && libp2p.getConnections(connection.remotePeer).some(direct))
  }

  /** Closes relayed connections that this side has opened and that carry nothing: at once where there is a direct one. */
  function sweep(): void {
    for (const connection of relayed) {
      if (connection.streams.some(({ protocol }) => protocol === HTTP_PROTOCOL)) {
        idleSince.delete(connection)
        continue
      }
      const since = idleSince.get(connection) ?? now()
      idleSince.set(connection, since)
      if (now() - since >= (isOutdone(connection) ? SWEEP_MS : IDLE_MS)) {
        log.debug('an idle relayed connection is closed', { peer: connection.remotePeer.toString() })
        void closeConnection(connection)
      }
    }
  }

  function opened({ detail: connection }: { detail: Connection }): void {
    if (isRelayed(connection) && connection.direction === 'outbound') {
      relayed.add(connection)
      connection.addEventListener('close', () => relayed.delete(connection))
    }
  }

  return {
    async connect(target, signal) {
      const open = existing(target.peerId)
      if (open === undefined) {
        return await untilAborted(
          shared(dialling, target.peerId, () => dial(target)),
          signal
        )
      }
      if (isRelayed(open) && target.direct.length > 0 && !isUnreachable(target.peerId)) {
        dialDirectly(target).catch(() => {}) // for the calls to come
      }
      return open
    },
    isOutdone,
    start() {
      libp2p.addEventListener('connection:open', opened)
      sweeper = setInterval(sweep, SWEEP_MS).unref()
    },
    stop() {
      clearInterval(sweeper)
      libp2p.removeEventListener('connection:open', opened)
      stopping.abort(new Error('the sidecar is shutting down'))
    }
  }
}

/** One attempt for all who ask at the same time. */
function shared(running: Map<string, Promise<Connection>>, key: string, start: () => Promise<Connection>): Promise<Connection> {
  const before = running.get(key)
  if (before !== undefined) {
    return before
  }
  const begun = start().finally(() => running.delete(key))
  running.set(key, begun)
  return begun
}

/** Whoever is gone does not wait; the attempt goes on for the others. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

async function reason(failed: Promise<unknown>): Promise<string> {
  return await failed.then(
    () => '',
    (error) => reasonOf(error)
  )
}
