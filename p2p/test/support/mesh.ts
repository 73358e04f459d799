/** Sidecars and nodes for tests: real libp2p hosts on loopback, real HTTP servers as their nodes. */

import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Context } from '../../src/local-api.ts'
import { createLog } from '../../src/log.ts'
import { readSettings } from '../../src/settings.ts'
import { type Endpoints, startSidecar } from '../../src/sidecar.ts'

export interface Node {
  url: string
  /** The peer ids that the sidecar asked about, in order. */
  asked: string[]
  knows: (peerId: string) => boolean | Promise<boolean>
  stop(): void
}

/** A node that knows all peers until told otherwise and leaves all other requests to the handler. */
export async function startNode(t: TestContext, handler: RequestListener = echo): Promise<Node> {
  const server = createServer(async (incoming, outgoing) => {
    const peer = /^\/isek\/peers\/(\w+)$/.exec(incoming.url ?? '')?.[1]
    if (peer === undefined) {
      handler(incoming, outgoing)
    } else {
      node.asked.push(peer)
      outgoing.writeHead((await node.knows(peer)) ? 200 : 404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const node: Node = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    knows: () => true,
    stop() {
      server.close()
      server.closeAllConnections()
    }
  }
  t.after(() => node.stop())
  return node
}

/** What the node got of a request, as it answers with it. */
export interface Echo {
  method: string
  path: string
  headers: Record<string, string>
  bytes: number
}

export function echo(incoming: IncomingMessage, outgoing: ServerResponse): void {
  let bytes = 0
  incoming.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  incoming.on('end', () => {
    outgoing.setHeader('content-type', 'application/json')
    outgoing.end(JSON.stringify({ method: incoming.method, path: incoming.url, headers: incoming.headers, bytes }))
  })
}

export async function temporaryDirectory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'isek-p2p-'))
  t.after(() => rm(path, { recursive: true }))
  return path
}

/** A new private network key, as it stands in a file. */
export function swarmKey(): string {
  return `/key/swarm/psk/1.0.0/\n/base16/\n${randomBytes(32).toString('hex')}\n`
}

/** A file with these keys, or with a new one. */
export async function privateNetworkKey(t: TestContext, ...keys: string[]): Promise<string> {
  const path = join(await temporaryDirectory(t), 'private-network.key')
  await writeFile(path, keys.join('') || swarmKey())
  return path
}

/** The environment of a sidecar on loopback, on ports of its own choice. */
export function loopback(nodeUrl: string, stateDir: string): Record<string, string> {
  return {
    ISEK_P2P_LISTEN_HOST: '127.0.0.1',
    ISEK_P2P_LISTEN_PORT: '0',
    ISEK_P2P_API_PORT: '0',
    ISEK_P2P_HEALTH_HOST: '127.0.0.1',
    ISEK_P2P_HEALTH_PORT: '0',
    ISEK_P2P_NODE_URL: nodeUrl,
    ISEK_P2P_STATE_DIR: stateDir
  }
}

export interface Peer extends Endpoints {
  stateDir: string
  token: string
  stop(): Promise<void>
  /** Calls a peer at one of its addresses. */
  call(address: string | string[], init?: CallInit): Promise<Response>
  context(): Promise<Context>
  /** The value of a metric by its full name with labels, 0 where there is none. */
  metric(name: string): Promise<number>
}

export interface CallInit extends Omit<RequestInit, 'headers'> {
  path?: string
  headers?: Record<string, string>
  duplex?: 'half'
}

/** A sidecar in this process. */
export async function startPeer(t: TestContext, nodeUrl: string, env: Record<string, string> = {}): Promise<Peer> {
  const settings = readSettings({ ...loopback(nodeUrl, await temporaryDirectory(t)), ...env })
  const sidecar = await startSidecar(settings, createLog({ format: 'Text', level: 'error' }))
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= sidecar.stop()
    return stopping
  }
  t.after(stop)
  return await peerAt(sidecar.endpoints, settings.stateDir, stop)
}

/** A running sidecar as its node sees it. */
export async function peerAt(endpoints: Endpoints, stateDir: string, stop: () => Promise<void>): Promise<Peer> {
  const token = await readFile(join(stateDir, 'token'), 'utf8')
  return {
    ...endpoints,
    stateDir,
    token,
    stop,
    async call(address, { path = '/', method = 'POST', headers = {}, ...init } = {}) {
      const query = new URLSearchParams({ path, method })
      for (const each of [address].flat()) {
        query.append('p2p_address', each)
      }
      const authorized = { authorization: `Bearer ${token}`, ...headers }
      return await fetch(`${endpoints.api}/call_peer?${query}`, { ...init, method: 'POST', headers: authorized })
    },
    async context() {
      const headers = { authorization: `Bearer ${token}` }
      return (await (await fetch(`${endpoints.api}/p2p_context`, { headers })).json()) as Context
    },
    async metric(name) {
      const text = await (await fetch(`${endpoints.health}/metrics`)).text()
      const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `))
      return Number(line?.slice(name.length) ?? 0)
    }
  }
}

/** Two sidecars in one private network, each with a node; the far one with the handler given. */
export async function startPair(t: TestContext, handler?: RequestListener): Promise<{ near: Peer; far: Peer; farNode: Node }> {
  const env = { ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: await privateNetworkKey(t) }
  const farNode = await startNode(t, handler)
  const near = await startPeer(t, (await startNode(t)).url, env)
  const far = await startPeer(t, farNode.url, env)
  return { near, far, farNode }
}

export interface OwnError {
  status: number
  header: string | null
  code: string
  message: string
  delivered?: string
}

/** The error that a sidecar answered with itself. */
export async function errorOf(response: Response): Promise<OwnError> {
  const { error } = (await response.json()) as { error: OwnError }
  return { ...error, status: response.status, header: response.headers.get('isek-p2p-error') }
}
