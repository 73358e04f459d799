/** Sidecars and nodes for tests: real libp2p hosts on loopback, real HTTP servers as their nodes. */

import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createLog } from '../../src/log.ts'
import type { Settings } from '../../src/settings.ts'
import { readSettings } from '../../src/settings.ts'
import { type Sidecar, startSidecar } from '../../src/sidecar.ts'
import { readFile } from 'node:fs/promises'

export interface Node {
  url: string
  /** How often the sidecar asked who a peer is. */
  asked: string[]
  knows: (peerId: string) => boolean
  server: Server
}

/** A node that knows its peers and answers all else with the handler. */
export async function startNode(t: TestContext, handler: RequestListener, knows: Node['knows'] = () => true, port = 0): Promise<Node> {
  const node: Node = { url: '', asked: [], knows, server: createServer() }
  node.server.on('request', (incoming, outgoing) => {
    const peer = /^\/isek\/peers\/(\w+)$/.exec(incoming.url ?? '')?.[1]
    if (peer === undefined) {
      handler(incoming, outgoing)
    } else {
      node.asked.push(peer)
      outgoing.writeHead(node.knows(peer) ? 200 : 404).end()
    }
  })
  await new Promise<void>((resolve) => node.server.listen(port, '127.0.0.1', resolve))
  t.after(() => stopServer(node.server))
  node.url = `http://127.0.0.1:${(node.server.address() as AddressInfo).port}`
  return node
}

export async function stopServer(server: Server): Promise<void> {
  server.close()
  server.closeAllConnections()
}

export async function stateDir(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'isek-p2p-'))
  t.after(() => rm(path, { recursive: true }))
  return path
}

export async function privateNetworkKey(t: TestContext): Promise<string> {
  const path = join(await stateDir(t), 'private-network.key')
  await writeFile(path, `/key/swarm/psk/1.0.0/\n/base16/\n${randomBytes(32).toString('hex')}\n`)
  return path
}

export interface Peer extends Sidecar {
  settings: Settings
  token: string
  /** The part of the local API's answer a test looks at. */
  call(address: string, init?: CallInit): Promise<Response>
}

export interface CallInit extends RequestInit {
  path?: string
  duplex?: 'half'
}

/** A sidecar on loopback, on ports of its own choice unless the environment names them. */
export async function startPeer(t: TestContext, nodeUrl: string, env: Record<string, string> = {}): Promise<Peer> {
  const settings = readSettings({
    ISEK_P2P_LISTEN_HOST: '127.0.0.1',
    ISEK_P2P_LISTEN_PORT: '0',
    ISEK_P2P_API_PORT: '0',
    ISEK_P2P_HEALTH_HOST: '127.0.0.1',
    ISEK_P2P_HEALTH_PORT: '0',
    ISEK_P2P_NODE_URL: nodeUrl,
    ISEK_P2P_STATE_DIR: env.ISEK_P2P_STATE_DIR ?? (await stateDir(t)),
    ...env
  })
  const sidecar = await startSidecar(settings, createLog({ format: 'Text', level: 'error' }))
  let stopped: Promise<void> | undefined
  const stop = () => (stopped ??= sidecar.stop())
  t.after(stop)
  const token = await readFile(join(settings.stateDir, 'token'), 'utf8')
  return {
    endpoints: sidecar.endpoints,
    stop,
    settings,
    token,
    call: async (address, { path = '/', ...init } = {}) => {
      const query = new URLSearchParams({ p2p_address: address, path, method: init.method ?? 'POST' })
      const headers = { ...(init.headers as Record<string, string> | undefined), authorization: `Bearer ${token}` }
      return await fetch(`${sidecar.endpoints.api}/call_peer?${query}`, { ...init, method: 'POST', headers })
    }
  }
}
