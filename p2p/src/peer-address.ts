/** The addresses that peers are called at: multiaddrs with a host, a TCP port and a peer id. */

import { peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { reasonOf, SidecarError } from './errors.ts'

export interface PeerAddress {
  multiaddr: Multiaddr
  peerId: string
}

const FORM = /^\/(?:ip4|ip6|dns4|dns6|dns)\/[^/]+\/tcp\/\d+\/p2p\/(\w+)$/

/** Addresses parsed before: a mesh has few, each called many times. */
const known = new Map<string, PeerAddress>()
const MAX_KNOWN = 10_000

/** @throws SidecarError BadAddress */
export function parsePeerAddress(text: string | null): PeerAddress {
  const before = known.get(text ?? '')
  if (before !== undefined) {
    return before
  }
  const parsed = parse(text ?? '')
  if (known.size >= MAX_KNOWN) {
    known.clear()
  }
  known.set(text ?? '', parsed)
  return parsed
}

function parse(text: string): PeerAddress {
  try {
    const peerId = FORM.exec(text)?.[1]
    if (peerId === undefined) {
      throw new Error('it is not of the form /ip4/HOST/tcp/PORT/p2p/PEER_ID')
    }
    return { multiaddr: multiaddr(text), peerId: peerIdFromString(peerId).toString() }
  } catch (error) {
    throw new SidecarError(
      'BadAddress',
      `p2p_address ${JSON.stringify(text.slice(0, 300))} cannot be used: ${reasonOf(error)}`,
      'give the p2pAddress of its registry record, for example /ip4/10.0.0.7/tcp/9000/p2p/12D3...'
    )
  }
}
