/** The addresses that peers are called at: multiaddrs with a host, a TCP port and a peer id, of the peer or of a relay before it. */

import { peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { Target } from './dialer.ts'
import { reasonOf, SidecarError } from './errors.ts'
import { leadsThroughRelay } from './multiaddrs.ts'

interface PeerAddress {
  multiaddr: Multiaddr
  peerId: string
}

const HOST = String.raw`/(?:ip4|ip6|dns4|dns6|dns)/[^/]+/tcp/\d+(?:/ws|/wss|/tls/ws|/tls/sni/[^/]+/ws)?`
const FORM = new RegExp(`^${HOST}(?:/p2p/\\w+/p2p-circuit)?/p2p/(\\w+)$`)
/** More than any record holds. */
const MAX_ADDRESSES = 16

/** Addresses parsed before: a mesh has few, each called many times. */
const known = new Map<string, PeerAddress>()
const MAX_KNOWN = 10_000

/**
 * The ways to one peer, direct ones and those through relays, as far as their form is known here: newer peers may have others too.
 *
 * @throws SidecarError BadAddress
 */
export function parsePeerAddresses(texts: readonly string[]): Target {
  const parsed = texts.slice(0, MAX_ADDRESSES).map(parseOnce)
  const [first, ...others] = parsed.filter((each) => 'peerId' in each)
  if (first === undefined) {
    throw parsed[0] ?? badAddress('', 'there is none')
  }
  const stranger = others.find(({ peerId }) => peerId !== first.peerId)
  if (stranger !== undefined) {
    throw badAddress(stranger.multiaddr.toString(), 'it is of another peer than the first')
  }
  const all = [first, ...others].map(({ multiaddr }) => multiaddr)
  return {
    peerId: first.peerId,
    direct: all.filter((address) => !leadsThroughRelay(address)),
    relayed: all.filter(leadsThroughRelay)
  }
}

function parseOnce(text: string): PeerAddress | SidecarError {
  const before = known.get(text)
  if (before !== undefined) {
    return before
  }
  const parsed = parse(text)
  if (parsed instanceof SidecarError) {
    return parsed
  }
  if (known.size >= MAX_KNOWN) {
    known.clear()
  }
  known.set(text, parsed)
  return parsed
}

/** The error, where it cannot be read. */
function parse(text: string): PeerAddress | SidecarError {
  try {
    const peerId = FORM.exec(text)?.[1]
    if (peerId === undefined) {
      throw new Error('it is not of the form /ip4/HOST/tcp/PORT/p2p/PEER_ID')
    }
    return { multiaddr: multiaddr(text), peerId: peerIdFromString(peerId).toString() }
  } catch (error) {
    return badAddress(text, reasonOf(error))
  }
}

function badAddress(text: string, reason: string): SidecarError {
  return new SidecarError(
    'BadAddress',
    `p2p_address ${JSON.stringify(text.slice(0, 300))} cannot be used: ${reason}`,
    'give the p2pAddress of its registry record, for example /ip4/10.0.0.7/tcp/9000/p2p/12D3...'
  )
}
