/** Who can be called through a relay: a reservation holds as long as its time and its connection do. */

import type { Connection } from '@libp2p/interface'

export interface RelayReservations {
  /** Until when, in milliseconds since 1970, the peer can be called; undefined: there is no room. */
  keep(connection: Connection): number | undefined
  /** The connection by which a peer can be called. */
  of(peerId: string): Connection | undefined
  /** The connection is closed. */
  forget(connection: Connection): void
  readonly size: number
}

export function createRelayReservations(most: number, seconds: number, now: () => number = Date.now): RelayReservations {
  const reserved = new Map<string, { connection: Connection; until: number }>()

  /** Their connections may be open still, for what runs on them. */
  function forgetExpired(): void {
    const at = now()
    for (const [peerId, { until }] of reserved) {
      if (until < at) {
        reserved.delete(peerId)
      }
    }
  }

  return {
    keep(connection) {
      const peerId = connection.remotePeer.toString()
      if (reserved.size >= most) {
        forgetExpired()
      }
      if (!reserved.has(peerId) && reserved.size >= most) {
        return undefined
      }
      const until = now() + seconds * 1000
      reserved.set(peerId, { connection, until })
      return until
    },
    of(peerId) {
      const found = reserved.get(peerId)
      return found !== undefined && found.until >= now() && found.connection.status === 'open' ? found.connection : undefined
    },
    forget(connection) {
      const peerId = connection.remotePeer.toString()
      if (reserved.get(peerId)?.connection === connection) {
        reserved.delete(peerId)
      }
    },
    get size() {
      forgetExpired()
      return reserved.size
    }
  }
}
