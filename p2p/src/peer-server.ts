/** Serves the calls of peers: checks who calls and where to, and hands the request to the node. */

import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Connection, Libp2p } from '@libp2p/interface'
import { sendError } from './answer.ts'
import type { CallLimits } from './call-limits.ts'
import type { Calls } from './calls.ts'
import { carry } from './carry.ts'
import type { DialBack } from './dial-back.ts'
import { type Delivered, reasonOf, SidecarError } from './errors.ts'
import type { Gate } from './gate.ts'
import { timeoutOf } from './headers.ts'
import { closeConnection, HTTP_PROTOCOL, MAX_STREAMS } from './libp2p.ts'
import type { Log } from './log.ts'
import { pathOf } from './multiaddrs.ts'
import { checkPath } from './paths.ts'
import type { PrivateNetwork } from './private-network.ts'
import { StreamSocket } from './stream-socket.ts'

/** The caller closes idle streams first (after 10 s): one that this side closes could be in use again. */
const IDLE_STREAM_MS = 75_000
/** A sidecar sends the head of a request at once; whoever sends it drop by drop is let go. */
const HEAD_MS = 10_000
/** Below the 5 s after which uvicorn closes an idle connection, for the same reason. */
const IDLE_NODE_CONNECTION_MS = 4_000

export interface PeerServerInit {
  libp2p: Libp2p
  /** None: connections have no key. */
  network: PrivateNetwork | undefined
  gate: Gate
  dialBack: DialBack
  nodeUrl: URL
  token: string
  maxBodyBytes: number
  calls: Calls
  limits: CallLimits
  log: Log
}

export interface PeerServer {
  start(): Promise<void>
  stop(): void
}

export function createPeerServer(init: PeerServerInit): PeerServer {
  const { libp2p, network, gate, dialBack, nodeUrl, token, maxBodyBytes, calls, limits, log } = init
  const toNode = new Agent({ keepAlive: true, maxFreeSockets: MAX_STREAMS, timeout: IDLE_NODE_CONNECTION_MS, scheduling: 'lifo' })
  const server = createServer({ keepAliveTimeout: IDLE_STREAM_MS, headersTimeout: HEAD_MS }, (incoming, outgoing) => {
    serve(incoming, outgoing).catch((error) => log.error('serving a peer failed', { reason: reasonOf(error) }))
  })

  /** How many calls run that were let in, by the connection that they came over. */
  const letIn = new WeakMap<Connection, number>()

  function enter(connection: Connection): () => void {
    letIn.set(connection, (letIn.get(connection) ?? 0) + 1)
    return () => void letIn.set(connection, (letIn.get(connection) ?? 1) - 1)
  }

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { connection } = incoming.socket as unknown as StreamSocket
    const peerId = connection.remotePeer.toString()
    const path = pathOf(connection)
    const ended = calls.begin('inbound')
    const begun = performance.now()
    let release = () => {}
    let leave = () => {}
    try {
      if (calls.draining) {
        throw new SidecarError('PeerUnreachable', 'the peer is shutting down', 'try another replica', 'No')
      }
      if (network?.accepts(connection) === false) {
        throw formerKey(peerId)
      }
      release = limits.begin(peerId)
      await gate.admit(connection)
      leave = enter(connection)
      if (path === 'relay') {
        void dialBack.tryPeerOf(connection)
      }
      const target = incoming.url ?? ''
      checkPath(target)
      const timeout = timeoutOf(incoming.headers)
      ended(
        await carry({
          incoming,
          outgoing,
          to: { agent: toNode, host: nodeUrl.hostname, port: nodeUrl.port, method: incoming.method ?? 'POST', path: target },
          headers: { 'Isek-Token': token, 'Isek-Peer-Id': peerId, 'Isek-Path': path },
          maxBodyBytes,
          deadline: begun + timeout,
          over: new AbortController(),
          toSidecar: false,
          unanswered: nodeUnavailable
        }),
        path
      )
    } catch (error) {
      if (!(error instanceof SidecarError)) {
        throw error
      }
      if (error.code === 'PeerRefused') {
        log.warning('a peer was refused', { peer: peerId })
        // what was let in before goes on; then the next refusal closes the connection
        const close = () => void (letIn.get(connection) || closeConnection(connection))
        if (outgoing.destroyed) {
          close() // its caller has left already
        } else {
          outgoing.once('close', close)
        }
      }
      sendError(outgoing, error)
      ended(error.code, path)
    } finally {
      leave()
      release()
    }
  }

  return {
    async start() {
      await libp2p.handle(HTTP_PROTOCOL, (stream, connection) => void server.emit('connection', new StreamSocket(stream, connection)), {
        maxInboundStreams: MAX_STREAMS,
        maxOutboundStreams: MAX_STREAMS,
        runOnLimitedConnection: true
      })
    },
    stop() {
      server.closeAllConnections()
      toNode.destroy()
    }
  }
}

function formerKey(peerId: string): SidecarError {
  return new SidecarError(
    'PeerRefused',
    `the connection of peer ${peerId} was opened with a private network key that is not accepted any more`,
    'both must have the same private network key; connect again with the present one'
  )
}

function nodeUnavailable(error: Error, delivered: Delivered): SidecarError {
  return new SidecarError(
    'PeerNodeUnavailable',
    `the sidecar of the peer cannot reach its node: ${reasonOf(error)}`,
    'try another replica, or again once the node is ready',
    delivered
  )
}
