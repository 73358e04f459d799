/** The libp2p hosts: TCP and WebSockets, noise, yamux and, where there is a key, a private network. */

import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import type { Connection, ConnectionProtector, Libp2p, PeerId, PrivateKey, Transport } from '@libp2p/interface'
import type { TransportManager } from '@libp2p/interface-internal'
import { noise } from '@libp2p/noise'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import type { Refused } from './metrics.ts'
import { withoutFormer } from './present-connections.ts'
import { WANTED_RELAYS } from './relay-choice.ts'
import type { Reservations } from './relays.ts'

/** The protocol that @libp2p/http speaks too: HTTP/1.1, one connection of it a stream. */
export const HTTP_PROTOCOL = '/http/1.1'

/** Calls that two peers may have running at once in one direction; libp2p's own limit of 32 is less than one busy team. */
export const MAX_STREAMS = 1024

/** Two are enough: one that each has dialled. More come of relays, of a key that is replaced, of hosts that vanish and come back. */
export const MAX_CONNECTIONS_OF_PEER = 16

/** What a slow reader may cost for each stream; enough for 100 MB/s over 10 ms. */
export const MAX_STREAM_WINDOW_BYTES = 1024 * 1024

/** Of libp2p itself and of the choice of relays, on one connection. */
const MAX_PINGS = 4

/** A dial within a cluster takes milliseconds; the default of 10 s would eat a caller's time for a pod that is gone. */
export const DIAL_TIMEOUT_MS = 5_000

export interface HostInit {
  privateKey: PrivateKey
  /** None: all addresses, over IPv4 and IPv6. */
  listenHost: string | undefined
  listenPort: number
  /** None: what it listens on. */
  announceHost: string | undefined
  /** None: whoever reaches the port may connect. */
  protector: (() => ConnectionProtector) | undefined
  /** Whether a relay is to be used over a new connection in the place of this one. */
  isFormer?: ((connection: Connection) => boolean) | undefined
  /** Asked for each connection that comes in. */
  refuseConnections: () => boolean
  refused: Refused
}

export interface Host {
  libp2p: Libp2p<{ ping: Ping }>
  /** At relays. */
  reservations: Reservations
  /** Dials an address that leads through a relay. */
  dialRelayed: (address: Multiaddr, signal: AbortSignal) => Promise<Connection>
}

/** Makes the host of a sidecar, not yet started. */
export async function createHost(init: HostInit): Promise<Host> {
  const { isFormer = () => false } = init
  const relayed = circuitRelayTransport({ maxInboundStopStreams: MAX_STREAMS, reservationConcurrency: WANTED_RELAYS })
  let reservations: Reservations | undefined
  let transports: TransportManager | undefined
  const libp2p: Libp2p<{ ping: Ping }> = await createLibp2p({
    ...hostOptions(init, (peer) => libp2p.getConnections(peer).length),
    addresses: {
      listen: listenAddresses(init.listenHost, `tcp/${init.listenPort}`),
      // what a peer that is called through a relay may try to reach directly
      appendAnnounce: init.announceHost === undefined ? [] : [`/${family(init.announceHost)}/${init.announceHost}/tcp/${init.listenPort}`]
    },
    transports: [
      tcp(),
      webSockets(),
      (components: Parameters<typeof relayed>[0]) => {
        const transport = relayed(withoutFormer(components, isFormer)) as Transport & { reservationStore: Reservations }
        reservations = transport.reservationStore
        return transport
      }
    ],
    services: {
      identify: identify(),
      ping: ping({ maxInboundStreams: MAX_PINGS, maxOutboundStreams: MAX_PINGS }),
      transports: (components: { transportManager: TransportManager }) => {
        transports = components.transportManager
        return {}
      }
    }
  })
  return {
    libp2p,
    reservations: reservations as Reservations,
    async dialRelayed(address, signal) {
      const options = { signal, maxOutboundStreams: MAX_STREAMS } // through one relay, to as many peers
      return await (transports as TransportManager).dial(address, options)
    }
  }
}

/** What hosts of a mesh have in common: who may connect, how it is encrypted, and the limits. */
export function hostOptions(
  init: Pick<HostInit, 'privateKey' | 'protector' | 'refuseConnections' | 'refused'>,
  connectionsOf: (peer: PeerId) => number
) {
  return {
    start: false,
    privateKey: init.privateKey,
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        maxInboundStreams: 2 * MAX_STREAMS,
        maxOutboundStreams: 2 * MAX_STREAMS,
        // 10 would end a connection, and all calls on it, when a burst of them comes before this side has noticed that it is open
        maxEarlyStreams: 2 * MAX_STREAMS,
        streamOptions: {
          // windows may grow to 16 MiB, but a paused reader's buffer only to 4 MiB, at which the stream is reset
          maxStreamWindowSize: MAX_STREAM_WINDOW_BYTES,
          maxReadBufferLength: 2 * MAX_STREAM_WINDOW_BYTES
        }
      })
    ],
    ...(init.protector === undefined ? {} : { connectionProtector: init.protector }),
    connectionGater: {
      denyInboundConnection: init.refuseConnections,
      denyInboundUpgradedConnection(peer) {
        const many = connectionsOf(peer) >= MAX_CONNECTIONS_OF_PEER
        if (many) {
          init.refused('TooManyOfPeer')
        }
        return many
      }
    },
    connectionManager: {
      // 300 would be too few for a hub of a larger mesh. Each costs up to 0.3 MB (bench/memory.ts), so that these fit into the
      // 768 MiB of a sidecar's container; beyond this, who dials is refused, and who is dialled takes the place of an unused one
      maxConnections: 2_000,
      // 5 a second from one address would lock out a node of 100 pods behind one NAT address, and all of local mode
      inboundConnectionThreshold: 1_000,
      // 10 would refuse the peers of a pod that just came up and that all of them dial at once
      maxIncomingPendingConnections: 500,
      dialTimeout: DIAL_TIMEOUT_MS,
      addressDialTimeout: DIAL_TIMEOUT_MS,
      inboundUpgradeTimeout: DIAL_TIMEOUT_MS
    },
    // closes connections to hosts that vanished without a word; each ping is a stream, so not every 10 s in a large mesh
    connectionMonitor: { pingInterval: 15_000 }
  } satisfies Libp2pOptions
}

/** The address that peers are to dial: the announced host, else the first one that is not loopback. */
export function peerAddress(libp2p: Libp2p, announceHost: string | undefined): string {
  const listening = libp2p.getMultiaddrs().map((address) => address.toString())
  const reached = listening.filter((address) => announceHost === undefined || address.startsWith(`/${family(announceHost)}/`))
  const first = reached.find((address) => !/^\/ip4\/127\.|^\/ip6\/::1\//.test(address)) ?? reached[0] ?? listening[0]
  if (first === undefined) {
    throw new Error('libp2p listens nowhere')
  }
  return announceHost === undefined ? first : first.replace(/^\/ip[46]\/[^/]+/, `/${family(announceHost)}/${announceHost}`)
}

/** Closes a connection once what was sent on it is on its way. */
export async function closeConnection(connection: Connection): Promise<void> {
  try {
    await connection.close({ signal: AbortSignal.timeout(1_000) })
  } catch (error) {
    connection.abort(error as Error)
  }
}

/**
 * The multiaddrs to listen on: `transport` at the host given, else at all addresses over IPv4 and IPv6.
 *
 * libp2p's listeners on IPv6 take no connections over IPv4, and to listen on IPv6 fails where the kernel has none.
 */
export function listenAddresses(host: string | undefined, transport: string): string[] {
  const interfaces = Object.values(networkInterfaces()).flat()
  const everywhere = interfaces.some((each) => each?.family === 'IPv6') ? ['0.0.0.0', '::'] : ['0.0.0.0']
  return (host === undefined ? everywhere : [host]).map((each) => `/${family(each)}/${each}/${transport}`)
}

function family(host: string): 'ip4' | 'ip6' {
  return isIPv6(host) ? 'ip6' : 'ip4'
}
