/** How the HTTP servers of the sidecar answer for themselves. */

import type { ServerResponse } from 'node:http'
import type { SidecarError } from './errors.ts'

/** After an early error the rest of a body is read and dropped for so long, so that its sender gets to read the answer. */
const LINGER_MS = 2_000

export function sendJson(outgoing: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const text = JSON.stringify(body)
  outgoing.writeHead(status, { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  outgoing.end(text)
}

export function sendError(outgoing: ServerResponse, error: SidecarError): void {
  const wait = error.code === 'TooManyCalls' ? { 'Retry-After': '1' } : {}
  sendJson(outgoing, error.status, error, { 'Isek-P2P-Error': error.code, ...wait })
  const incoming = outgoing.req
  if (!incoming.complete) {
    const linger = setTimeout(() => incoming.destroy(), LINGER_MS).unref()
    incoming.once('close', () => clearTimeout(linger)).resume()
  }
}
