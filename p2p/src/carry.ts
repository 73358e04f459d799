/** Carries one HTTP request to the next hop and its answer back: both sides of the sidecar do just this. */

import { type ClientRequest, type IncomingMessage, type RequestOptions, request, type ServerResponse } from 'node:http'
import { type Duplex, pipeline } from 'node:stream'
import { sendError } from './answer.ts'
import { type Delivered, SidecarError } from './errors.ts'
import { ERROR, endToEnd, TIMEOUT } from './headers.ts'

/** One for all: an AbortError made for each call, with its stack, would cost 5 % of the sidecar's time. */
const CALL_IS_OVER = new Error('the call is over')

export interface Hop {
  incoming: IncomingMessage
  outgoing: ServerResponse
  /** Where to: agent, host, port, method, path. */
  to: RequestOptions
  /** Headers to add or to put in the place of the caller's. */
  headers: Record<string, string>
  /** Headers of the request that stay here. */
  dropped?: readonly string[]
  /** The largest request body, in bytes. Answers have no limit. */
  maxBodyBytes: number
  /** `performance.now()` at which the call must have ended. */
  deadline: number
  /** Aborted when the call is over, whatever the reason. */
  over: AbortController
  /** Whether the next hop is a sidecar, whose word about an error of its own is passed on. */
  toSidecar: boolean
  /** Headers to add to the answer, by what it came over. */
  answerHeaders?: (socket: Duplex) => Record<string, string>
  /** What it means that the next hop broke off before it answered. */
  unanswered: (error: Error, delivered: Delivered) => SidecarError
}

/** `Answered` (with any status), `Cancelled` or the code of the sidecar's own error. */
export type Outcome = string

/** Never rejects: whatever happens is answered, or ends the answer where that has begun. */
export function carry(hop: Hop): Promise<Outcome> {
  const { incoming, outgoing, over } = hop
  return new Promise((resolve) => {
    let settled = false
    let upstream: ClientRequest | undefined

    function settle(outcome: Outcome): void {
      settled = true
      clearTimeout(timer)
      incoming.unpipe()
      over.abort(CALL_IS_OVER)
      if (upstream !== undefined && !upstream.writableFinished) {
        upstream.destroy() // an answer that came before the request ended: the rest has no reader
      }
      if (!incoming.complete) {
        incoming.resume()
      }
      resolve(outcome)
    }

    function fail(error: SidecarError): void {
      if (settled) {
        return
      }
      upstream?.destroy()
      if (outgoing.headersSent) {
        outgoing.destroy() // the only way left to say that this is not the whole answer
      } else {
        sendError(outgoing, error)
      }
      settle(error.code)
    }

    const remaining = Math.floor(hop.deadline - performance.now())
    const timer = setTimeout(() => fail(deadlineExceeded()), Math.max(remaining, 0))
    outgoing.once('close', () => {
      if (!settled && !outgoing.writableFinished) {
        upstream?.destroy()
        settle('Cancelled')
      }
    })
    if (outgoing.destroyed) {
      settle('Cancelled') // the caller left before: 'close' does not come again
      return
    }
    if (remaining <= 0) {
      fail(deadlineExceeded())
      return
    }
    if (Number(incoming.headers['content-length'] ?? 0) > hop.maxBodyBytes) {
      fail(bodyTooLarge(hop.maxBodyBytes))
      return
    }

    const hasBody = 'content-length' in incoming.headers || 'transfer-encoding' in incoming.headers
    send(1)

    function send(attempt: number): void {
      const sent = request({
        ...hop.to,
        headers: { ...endToEnd(incoming.headersDistinct, hop.dropped), ...hop.headers, [TIMEOUT]: String(remaining) }
      })
      upstream = sent
      sent.once('response', answer)
      sent.on('error', (error) => {
        // A pooled stream may die just as it is taken. The peer may have got the request all the same,
        // so only what may safely be done twice (RFC 9110, 9.2.2) is sent again.
        const repeatable = !hasBody && (hop.to.method === 'GET' || hop.to.method === 'HEAD')
        if (!settled && !outgoing.headersSent && sent.reusedSocket && repeatable && attempt === 1) {
          send(attempt + 1)
        } else {
          fail(hop.unanswered(error, wasConnected(sent, error) ? 'Unknown' : 'No'))
        }
      })
      if (hasBody) {
        sendBody(sent)
      } else {
        sent.end()
      }
    }

    function sendBody(to: ClientRequest): void {
      let received = 0
      incoming.on('data', (chunk: Buffer) => {
        received += chunk.length
        if (received > hop.maxBodyBytes) {
          fail(bodyTooLarge(hop.maxBodyBytes))
        }
      })
      incoming.pipe(to)
    }

    function answer(response: IncomingMessage): void {
      if (settled) {
        response.destroy()
        return
      }
      const error = hop.toSidecar ? response.headersDistinct[ERROR]?.[0] : undefined
      outgoing.sendDate = false
      outgoing.writeHead(response.statusCode ?? 502, response.statusMessage, {
        ...endToEnd(response.headersDistinct),
        ...hop.answerHeaders?.(response.socket),
        ...(error === undefined ? {} : { 'Isek-P2P-Error': error })
      })
      // the head goes with the first bytes of the body where they are there already, and at once where they are not
      setImmediate(() => outgoing.writableEnded || outgoing.flushHeaders())
      pipeline(response, outgoing, (broken) => {
        if (broken) {
          fail(hop.unanswered(broken, 'Unknown'))
        } else if (!settled) {
          settle(error ?? 'Answered')
        }
      })
    }
  })
}

function wasConnected({ socket }: ClientRequest, error: NodeJS.ErrnoException): boolean {
  return socket !== null && error.code !== 'ECONNREFUSED'
}

function deadlineExceeded(): SidecarError {
  return new SidecarError(
    'DeadlineExceeded',
    'the call did not end in its time',
    'raise Isek-Timeout-Ms, or the limits of the agent that called'
  )
}

function bodyTooLarge(maxBodyBytes: number): SidecarError {
  return new SidecarError('BodyTooLarge', `the request body has more than ${maxBodyBytes} bytes`, 'send less, or a reference to the data')
}
