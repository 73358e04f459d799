/** Which headers go along from hop to hop. */

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import { SidecarError } from './errors.ts'

export const PEER_ID = 'isek-peer-id'
/** How the call came: over a direct connection, or through a relay. */
export const PATH = 'isek-path'
export const TOKEN = 'isek-token'
export const TIMEOUT = 'isek-timeout-ms'
export const ERROR = 'isek-p2p-error'

/** Time for a whole call when the caller names none. */
export const DEFAULT_TIMEOUT_MS = 300_000
/** The longest delay that a timer of Node.js can hold. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** RFC 9110, 7.6.1, and those that each hop sets or answers itself. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'host',
  'http2-settings'
])

/** Said by sidecars alone: taken from nobody else. */
const OWN = new Set([PEER_ID, PATH, TOKEN, ERROR])

type DistinctHeaders = NodeJS.Dict<string[]>

/** The end-to-end headers of a message, without those that only a sidecar may set. */
export function endToEnd(distinct: DistinctHeaders, dropped: readonly string[] = []): OutgoingHttpHeaders {
  const named = new Set((distinct.connection ?? []).flatMap((line) => line.toLowerCase().split(/\s*,\s*/)))
  const kept: OutgoingHttpHeaders = {}
  for (const [name, values] of Object.entries(distinct)) {
    if (values !== undefined && !HOP_BY_HOP.has(name) && !OWN.has(name) && !named.has(name) && !dropped.includes(name)) {
      kept[name] = values.length === 1 ? values[0] : values
    }
  }
  return kept
}

/**
 * The caller's remaining time in milliseconds.
 *
 * @throws SidecarError InvalidRequest
 */
export function timeoutOf(headers: IncomingHttpHeaders): number {
  const text = headers[TIMEOUT]
  if (text === undefined) {
    return DEFAULT_TIMEOUT_MS
  }
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text) || Number(text) === 0) {
    throw new SidecarError('InvalidRequest', `header Isek-Timeout-Ms is ${JSON.stringify(text)}`, 'send whole milliseconds above 0')
  }
  return Math.min(Number(text), MAX_TIMEOUT_MS)
}
