/** What an address says about the way. */

import type { Connection } from '@libp2p/interface'
import { CODE_P2P_CIRCUIT, type Multiaddr } from '@multiformats/multiaddr'

/** How a call came to its node: `isek.trace.Path` has the same words. */
export type Path = 'libp2p' | 'relay'

export function leadsThroughRelay(address: Multiaddr): boolean {
  return address.getComponents().some(({ code }) => code === CODE_P2P_CIRCUIT)
}

export function isRelayed(connection: Connection): boolean {
  return leadsThroughRelay(connection.remoteAddr)
}

export function pathOf(connection: Connection): Path {
  return isRelayed(connection) ? 'relay' : 'libp2p'
}
