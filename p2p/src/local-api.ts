/** The API that a sidecar offers to its own node, on 127.0.0.1 and for holders of the token. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { sendError, sendJson } from './answer.ts'
import type { Calls } from './calls.ts'
import { reasonOf, SidecarError } from './errors.ts'
import type { Log } from './log.ts'
import type { PeerCaller } from './peer-caller.ts'

/** Longer than HTTP clients keep idle connections, so that it is never this side that closes one just being used. */
const IDLE_CONNECTION_MS = 75_000

/** What the node has to know of its sidecar; it asks every few seconds. */
export interface Context {
  peer_id: string
  /** The direct one. */
  p2p_address: string
  /** All that others may dial, the direct one first; they change as relays come and go. */
  p2p_addresses: readonly string[]
  /** Fingerprints of the private network keys that are accepted, the one that is dialled with first; none: whoever comes. */
  network_keys: readonly string[]
}

export interface LocalApiInit {
  caller: PeerCaller
  context: () => Context
  isAuthorized: (authorization: string | undefined) => boolean
  calls: Calls
  log: Log
}

export function createLocalApi({ caller, context, isAuthorized, calls, log }: LocalApiInit): Server {
  async function route(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    if (!isAuthorized(incoming.headers.authorization)) {
      throw new SidecarError('Unauthorized', 'the token is missing or wrong', 'send Authorization: Bearer <token of the state directory>')
    }
    const url = new URL(incoming.url ?? '/', 'http://127.0.0.1')
    const endpoint = `${incoming.method} ${url.pathname}`
    if (endpoint === 'GET /p2p_context') {
      sendJson(outgoing, 200, context())
    } else if (endpoint === 'POST /call_peer') {
      await callPeer(url.searchParams, incoming, outgoing)
    } else {
      throw new SidecarError('NotFound', `there is no ${endpoint.slice(0, 200)}`, 'use GET /p2p_context or POST /call_peer')
    }
  }

  async function callPeer(query: URLSearchParams, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const ended = calls.begin('outbound')
    try {
      if (calls.draining) {
        throw new SidecarError('Draining', 'the sidecar is shutting down', 'call again once it is back', 'No')
      }
      const { outcome, path } = await caller.call(query, incoming, outgoing)
      log.debug('a peer was called', { address: query.get('p2p_address') ?? '', outcome })
      ended(outcome, path)
    } catch (error) {
      ended(error instanceof SidecarError ? error.code : 'Failed')
      throw error
    }
  }

  return createServer({ keepAliveTimeout: IDLE_CONNECTION_MS }, (incoming, outgoing) => {
    route(incoming, outgoing).catch((error) => {
      if (error instanceof SidecarError) {
        sendError(outgoing, error)
      } else {
        log.error('answering the node failed', { reason: reasonOf(error) })
        outgoing.destroy()
      }
    })
  })
}
