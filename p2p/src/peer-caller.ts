/** Answers `POST /call_peer`: carries one HTTP request to a peer and its answer back. */

import { Agent, type ClientRequestArgs, type IncomingMessage, type RequestOptions, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { carry, type Outcome } from './carry.ts'
import { type Delivered, reasonOf, SidecarError } from './errors.ts'
import { timeoutOf } from './headers.ts'
import { HTTP_PROTOCOL, MAX_STREAMS } from './libp2p.ts'
import { checkPath } from './paths.ts'
import { parsePeerAddress } from './peer-address.ts'
import type { PrivateNetwork } from './private-network.ts'
import { StreamSocket } from './stream-socket.ts'

/** Idle streams are kept so briefly that one taken from the pool is alive; a new one proves by its handshake that the peer is. */
const IDLE_STREAM_MS = 10_000
/** Idle streams kept for each peer. */
const IDLE_STREAMS = 64
/** A peer that does not answer the handshake of a stream (under 1 ms usually) for so long is taken for dead. */
const STREAM_TIMEOUT_MS = 3_000

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

export interface PeerCaller {
  /**
   * Carries the request of the local API that names peer, path and method in its query.
   *
   * @throws SidecarError BadAddress, InvalidRequest, PathNotAllowed; all else is answered
   */
  call(query: URLSearchParams, incoming: IncomingMessage, outgoing: ServerResponse): Promise<Outcome>
  /** Keeps no idle streams on a connection that is not to be used any more. */
  leave(connection: Connection): void
  /** Closes the idle streams. */
  stop(): void
}

export interface PeerCallerInit {
  libp2p: Libp2p
  /** None: connections have no key. */
  network: PrivateNetwork | undefined
}

export function createPeerCaller({ libp2p, network }: PeerCallerInit): PeerCaller {
  const isFormer = network?.isFormer ?? (() => false)
  const agent = new StreamAgent(libp2p, isFormer)
  const self = libp2p.peerId.toString()

  return {
    async call(query, incoming, outgoing) {
      const { multiaddr, peerId } = parsePeerAddress(query.get('p2p_address'))
      if (peerId === self) {
        throw new SidecarError('BadAddress', 'p2p_address is the address of this sidecar itself', 'call the own node directly')
      }
      const path = query.get('path') ?? '/'
      checkPath(path)
      const method = (query.get('method') ?? 'POST').toUpperCase()
      if (!METHODS.has(method)) {
        throw new SidecarError(
          'InvalidRequest',
          `method ${JSON.stringify(method)} cannot be called`,
          `use one of ${[...METHODS].join(', ')}`
        )
      }
      const over = new AbortController()
      const to: PeerRequestOptions = { agent, host: peerId, method, path, multiaddr, dialSignal: over.signal }
      return await carry({
        incoming,
        outgoing,
        to,
        headers: {},
        dropped: ['authorization'], // that of the local API
        deadline: performance.now() + timeoutOf(incoming.headers),
        over,
        toSidecar: true,
        unanswered: (error, delivered) => unreachable(peerId, error, delivered)
      })
    },
    leave: (connection) => agent.leave(connection),
    stop: () => agent.destroy()
  }
}

/** The peer id stands in for the host, so that the agent pools streams by peer. */
interface PeerRequestOptions extends RequestOptions {
  multiaddr: Multiaddr
  dialSignal: AbortSignal
}

type IsFormer = (connection: Connection) => boolean

/** An HTTP agent whose sockets are streams to peers. */
class StreamAgent extends Agent {
  readonly #libp2p: Libp2p
  readonly #isFormer: IsFormer

  constructor(libp2p: Libp2p, isFormer: IsFormer) {
    super({ keepAlive: true, maxSockets: MAX_STREAMS, maxFreeSockets: IDLE_STREAMS, timeout: IDLE_STREAM_MS, scheduling: 'lifo' })
    this.#libp2p = libp2p
    this.#isFormer = isFormer
  }

  leave(connection: Connection): void {
    for (const socket of Object.values(this.freeSockets).flatMap((sockets) => sockets ?? [])) {
      if ((socket as unknown as StreamSocket).connection === connection) {
        socket.destroy()
      }
    }
  }

  override keepSocketAlive(socket: Duplex): boolean {
    // that it returns whether to keep it is missing in @types/node
    return !this.#isFormer((socket as StreamSocket).connection) && (super.keepSocketAlive(socket) as unknown as boolean)
  }

  override createConnection(options: ClientRequestArgs, callback: (error: Error | null, socket: Duplex) => void): undefined {
    const { multiaddr, dialSignal } = options as PeerRequestOptions
    openStream(this.#libp2p, this.#isFormer, multiaddr, dialSignal).then(
      (socket) => callback(null, socket),
      (error) => callback(error, undefined as never)
    )
  }
}

/** Opens a stream on the connection there is; where that proves dead, once more on a new one: nothing was sent yet. */
async function openStream(libp2p: Libp2p, isFormer: IsFormer, address: Multiaddr, signal: AbortSignal): Promise<StreamSocket> {
  const begun = Date.now()
  const connection = await connect(libp2p, isFormer, address, signal)
  try {
    return new StreamSocket(await newStream(connection, signal), connection)
  } catch (error) {
    const wasThere = connection.timeline.open < begun
    if (!wasThere || signal.aborted || isAboutProtocol(error)) {
      throw error
    }
    connection.abort(error as Error)
    const fresh = await libp2p.dial(address, { signal })
    return new StreamSocket(await newStream(fresh, signal), fresh)
  }
}

/** The connection there is, or a new one; also where the one there is was opened with a former key. */
async function connect(libp2p: Libp2p, isFormer: IsFormer, address: Multiaddr, signal: AbortSignal): Promise<Connection> {
  const connection = await libp2p.dial(address, { signal })
  if (!isFormer(connection)) {
    return connection
  }
  const present = libp2p.getConnections(connection.remotePeer).find((each) => each.status === 'open' && !isFormer(each))
  return present ?? (await libp2p.dial(address, { signal, force: true }))
}

async function newStream(connection: Connection, signal: AbortSignal): Promise<Stream> {
  return await connection.newStream(HTTP_PROTOCOL, {
    signal: AbortSignal.any([signal, AbortSignal.timeout(STREAM_TIMEOUT_MS)]),
    maxOutboundStreams: MAX_STREAMS
  })
}

/** Such an error says that the peer is alive. */
function isAboutProtocol(error: unknown): boolean {
  return error instanceof Error && ['UnsupportedProtocolError', 'TooManyOutboundProtocolStreamsError'].includes(error.name)
}

function unreachable(peerId: string, error: Error, delivered: Delivered): SidecarError {
  return new SidecarError(
    'PeerUnreachable',
    `peer ${peerId} cannot be reached: ${reasonOf(error)}`,
    'try another replica; check that it runs, that its port is open and that both have the same private network key',
    delivered
  )
}
