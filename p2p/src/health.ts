/** `/healthz`, `/readyz` and `/metrics`, open to kubelet and Prometheus. */

import { createServer, type Server } from 'node:http'
import { sendJson } from './answer.ts'
import type { Exposition } from './metrics.ts'

export interface HealthInit {
  /** Whether peers can reach this process. Does not depend on a sidecar's node, which starts after it. */
  ready: () => boolean
  expose: () => Promise<Exposition>
}

export function createHealth({ ready, expose }: HealthInit): Server {
  return createServer(async (incoming, outgoing) => {
    switch (incoming.url) {
      case '/healthz':
        return sendJson(outgoing, 200, { status: 'ok' })
      case '/readyz':
        return ready() ? sendJson(outgoing, 200, { status: 'ready' }) : sendJson(outgoing, 503, { status: 'not listening' })
      case '/metrics': {
        const { contentType, body } = await expose()
        return outgoing.writeHead(200, { 'content-type': contentType }).end(body)
      }
      default:
        return sendJson(outgoing, 404, { error: { code: 'NotFound', message: 'no such path', hint: 'use /healthz, /readyz or /metrics' } })
    }
  })
}
