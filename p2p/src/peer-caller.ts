/** Answers `POST /call_peer`: carries one HTTP request to a peer and its answer back. */

import { Agent, type ClientRequestArgs, type IncomingMessage, type RequestOptions, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { carry, type Outcome } from './carry.ts'
import type { Dialer, Target } from './dialer.ts'
import { type Delivered, reasonOf, SidecarError } from './errors.ts'
import { timeoutOf } from './headers.ts'
import { HTTP_PROTOCOL, MAX_STREAMS } from './libp2p.ts'
import { type Path, pathOf } from './multiaddrs.ts'
import { checkPath } from './paths.ts'
import { parsePeerAddresses } from './peer-address.ts'
import { StreamSocket } from './stream-socket.ts'

/** Idle streams are kept so briefly that one taken from the pool is alive; a new one proves by its handshake that the peer is. */
const IDLE_STREAM_MS = 10_000
/** Idle streams kept for each peer. */
const IDLE_STREAMS = 64
/** A peer that does not answer the handshake of a stream (under 1 ms usually) for so long is taken for dead. */
const STREAM_TIMEOUT_MS = 3_000

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

export interface Called {
  outcome: Outcome
  /** How the answer came; none where there was none. */
  path: Path | undefined
}

export interface PeerCaller {
  /**
   * Carries the request of the local API that names peer, path and method in its query.
   *
   * @throws SidecarError BadAddress, InvalidRequest, PathNotAllowed; all else is answered
   */
  call(query: URLSearchParams, incoming: IncomingMessage, outgoing: ServerResponse): Promise<Called>
  /** Keeps no idle streams on a connection that is not to be used any more. */
  leave(connection: Connection): void
  /** Closes the idle streams. */
  stop(): void
}

export interface PeerCallerInit {
  libp2p: Libp2p
  dialer: Dialer
  maxBodyBytes: number
}

export function createPeerCaller({ libp2p, dialer, maxBodyBytes }: PeerCallerInit): PeerCaller {
  const agent = new StreamAgent(libp2p, dialer)
  const self = libp2p.peerId.toString()

  return {
    async call(query, incoming, outgoing) {
      const target = parsePeerAddresses(query.getAll('p2p_address'))
      const { peerId } = target
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
      const to: PeerRequestOptions = { agent, host: peerId, method, path, target, dialSignal: over.signal }
      let way: Path | undefined
      const outcome = await carry({
        incoming,
        outgoing,
        to,
        headers: {},
        dropped: ['authorization'], // that of the local API
        maxBodyBytes,
        deadline: performance.now() + timeoutOf(incoming.headers),
        over,
        toSidecar: true,
        answerHeaders(socket) {
          way = pathOf((socket as StreamSocket).connection)
          return { 'Isek-Path': way }
        },
        unanswered: (error, delivered) => unreachable(peerId, error, delivered)
      })
      return { outcome, path: way }
    },
    leave: (connection) => agent.leave(connection),
    stop: () => agent.destroy()
  }
}

/** The peer id stands in for the host, so that the agent pools streams by peer. */
interface PeerRequestOptions extends RequestOptions {
  target: Target
  dialSignal: AbortSignal
}

/** An HTTP agent whose sockets are streams to peers. */
class StreamAgent extends Agent {
  readonly #dialer: Dialer

  constructor(libp2p: Libp2p, dialer: Dialer) {
    super({ keepAlive: true, maxSockets: MAX_STREAMS, maxFreeSockets: IDLE_STREAMS, timeout: IDLE_STREAM_MS, scheduling: 'lifo' })
    this.#dialer = dialer
    libp2p.addEventListener('connection:open', ({ detail: opened }) => {
      for (const connection of libp2p.getConnections(opened.remotePeer).filter(dialer.isOutdone)) {
        this.leave(connection)
      }
    })
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
    return !this.#dialer.isOutdone((socket as StreamSocket).connection) && (super.keepSocketAlive(socket) as unknown as boolean)
  }

  override createConnection(options: ClientRequestArgs, callback: (error: Error | null, socket: Duplex) => void): undefined {
    const { target, dialSignal } = options as PeerRequestOptions
    openStream(this.#dialer, target, dialSignal).then(
      (socket) => callback(null, socket),
      (error) => callback(error, undefined as never)
    )
  }
}

/** Opens a stream on the connection there is; where that proves dead, once more on a new one: nothing was sent yet. */
async function openStream(dialer: Dialer, target: Target, signal: AbortSignal): Promise<StreamSocket> {
  const begun = Date.now()
  const connection = await dialer.connect(target, signal)
  try {
    return new StreamSocket(await newStream(connection, signal), connection)
  } catch (error) {
    const wasThere = connection.timeline.open < begun
    if (!wasThere || signal.aborted || isAboutProtocol(error)) {
      throw error
    }
    connection.abort(error as Error)
    const fresh = await dialer.connect(target, signal)
    return new StreamSocket(await newStream(fresh, signal), fresh)
  }
}

async function newStream(connection: Connection, signal: AbortSignal): Promise<Stream> {
  return await connection.newStream(HTTP_PROTOCOL, {
    signal: AbortSignal.any([signal, AbortSignal.timeout(STREAM_TIMEOUT_MS)]),
    maxOutboundStreams: MAX_STREAMS,
    runOnLimitedConnection: true
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
