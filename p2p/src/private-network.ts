/** The private network: who may connect at all, and which key each connection was opened with. */

import type { Connection, ConnectionProtector, Libp2p } from '@libp2p/interface'
import { closeConnection } from './libp2p.ts'
import type { Refused } from './metrics.ts'
import { isRelayed } from './multiaddrs.ts'
import type { NetworkKey, NetworkKeys } from './network-keys.ts'
import { createProtector } from './protector.ts'

/** As long as most calls may take: so long those that run may go on over a connection whose key is not accepted any more. */
const GRACE_MS = 300_000
/** Between two looks at whether a connection that nobody is to use is idle. */
const LOOK_MS = 1_000
/** It is idle after as many looks in a row: what its peer sent before it knew of a better one has come by then. */
const IDLE_LOOKS = 2

/** The connections to close when the keys change. */
export interface Retirement {
  isToGo: (connection: Connection) => boolean
  /** Told of each, before it is waited for. */
  leave?: (connection: Connection) => void
  /** Whether it has to stay for now, though nothing runs on it. */
  isNeeded?: (connection: Connection) => boolean
}

export interface PrivateNetwork {
  readonly protector: () => ConnectionProtector
  /** Of the keys that are accepted; the first is dialled with. */
  readonly fingerprints: readonly string[]
  /** Whether calls may come in over the connection. */
  accepts(connection: Connection): boolean
  /** Whether calls are to go out over a new one in its place. */
  isFormer(connection: Connection): boolean
  /** Whenever the keys change, closes the connections that are to go once nothing runs on them. */
  retire(libp2p: Libp2p, retirement: Retirement): void
  stop(): void
}

export function createPrivateNetwork(keys: NetworkKeys, refused: Refused): PrivateNetwork {
  /** By their timeline: the one object that what libp2p protects and the connection that comes of it have in common. */
  const openedWith = new WeakMap<object, { fingerprint: string; change: number }>()
  /** Keys that were dialled with before and may still be accepted. */
  const former = new Set<string>()
  const timers = new Set<NodeJS.Timeout>()
  let [dialledWith] = keys.accepted as [NetworkKey]
  /** How often the keys have changed. */
  let changes = 0

  keys.onChange(() => {
    changes += 1
    former.add(dialledWith.fingerprint)
    ;[dialledWith] = keys.accepted as [NetworkKey]
    former.delete(dialledWith.fingerprint)
  })

  function fingerprintOf(connection: Connection): string | undefined {
    return openedWith.get(connection.timeline)?.fingerprint
  }

  /** The connections between the relay and either side of it may be by keys that go with the next change. */
  function isRelayedSinceBefore(connection: Connection): boolean {
    return isRelayed(connection) && openedWith.get(connection.timeline)?.change !== changes
  }

  const network: PrivateNetwork = {
    protector: createProtector({
      keys,
      opened: (connection, key) => void openedWith.set(connection.timeline, { fingerprint: key.fingerprint, change: changes }),
      refused
    }),
    get fingerprints() {
      return keys.accepted.map(({ fingerprint }) => fingerprint)
    },
    accepts(connection) {
      const fingerprint = fingerprintOf(connection)
      return keys.accepted.some((key) => key.fingerprint === fingerprint)
    },
    isFormer(connection) {
      return !network.accepts(connection) || former.has(fingerprintOf(connection) as string) || isRelayedSinceBefore(connection)
    },
    retire(libp2p, { isToGo, leave = () => {}, isNeeded = () => false }) {
      keys.onChange(() => {
        for (const connection of libp2p.getConnections().filter(isToGo)) {
          leave(connection)
          void closeOnceIdle(connection, isNeeded)
        }
      })
    },
    stop() {
      for (const timer of timers) {
        clearTimeout(timer)
      }
      keys.stop()
    }
  }

  async function closeOnceIdle(connection: Connection, isNeeded: (connection: Connection) => boolean): Promise<void> {
    const end = network.accepts(connection) ? Number.POSITIVE_INFINITY : performance.now() + GRACE_MS
    let idle = 0
    while (connection.status === 'open' && idle < IDLE_LOOKS && performance.now() < end) {
      await pause()
      idle = connection.streams.length > 0 || isNeeded(connection) ? 0 : idle + 1
    }
    await closeConnection(connection)
  }

  async function pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        timers.delete(timer)
        resolve()
      }, LOOK_MS).unref()
      timers.add(timer)
    })
  }

  return network
}
