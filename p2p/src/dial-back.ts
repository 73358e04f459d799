/**
 * Tries to reach directly those who call through a relay: often one of two sides can be dialled from the other.
 *
 * It is the part of hole punching (DCUtR) that works over TCP here: for the other part both sides would have to dial from the
 * port they listen on, which Node.js cannot, and libp2p's service closes the relayed connection together with the calls on it.
 */

import type { Connection, Libp2p } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { reasonOf } from './errors.ts'
import { DIAL_TIMEOUT_MS } from './libp2p.ts'
import type { Log } from './log.ts'
import { leadsThroughRelay } from './multiaddrs.ts'

/** So long a peer that could not be reached is not tried again. */
const REST_MS = 60_000
/** Of the addresses that a peer says it has. */
const MAX_ADDRESSES = 8
const MAX_REMEMBERED = 10_000

export interface DialBackInit {
  libp2p: Libp2p
  /** The own announced host. Loopback addresses of others are on this machine only where it is the same. */
  announceHost: string | undefined
  log: Log
  now?: () => number
}

export interface DialBack {
  /** Called for a relayed connection whose peer the node knows. */
  tryPeerOf(connection: Connection): Promise<void>
}

export function createDialBack({ libp2p, announceHost, log, now = () => performance.now() }: DialBackInit): DialBack {
  const restingUntil = new Map<string, number>()

  function isElsewhere(address: Multiaddr): boolean {
    const host = address.getComponents()[0]?.value ?? ''
    return host === announceHost || !/^127\.|^::1$/.test(host)
  }

  async function addressesOf({ remotePeer }: Connection): Promise<Multiaddr[]> {
    const { addresses } = await libp2p.peerStore.get(remotePeer) // as the peer has told by "identify"
    return addresses
      .map(({ multiaddr }) => multiaddr)
      .filter((address) => !leadsThroughRelay(address) && isElsewhere(address))
      .slice(0, MAX_ADDRESSES)
      .map((address) => (address.toString().includes('/p2p/') ? address : address.encapsulate(`/p2p/${remotePeer}`)))
  }

  return {
    async tryPeerOf(connection) {
      const peer = connection.remotePeer.toString()
      if ((restingUntil.get(peer) ?? 0) > now()) {
        return
      }
      if (restingUntil.size >= MAX_REMEMBERED) {
        restingUntil.clear()
      }
      restingUntil.set(peer, now() + REST_MS)
      try {
        const addresses = await addressesOf(connection)
        if (addresses.length === 0) {
          restingUntil.delete(peer) // it has not told them yet
          return
        }
        await libp2p.dial(addresses, { signal: AbortSignal.timeout(DIAL_TIMEOUT_MS) })
        log.info('a peer that called through a relay is reached directly', { peer })
      } catch (error) {
        log.debug('a peer that calls through a relay cannot be reached directly', { peer, reason: reasonOf(error) })
      }
    }
  }
}
