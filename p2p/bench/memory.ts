/** What the memory of a relay, and of a sidecar, grows to with their peers: the bundle as a process, and hosts that only hold a connection. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { pbStream } from '@libp2p/utils'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { HOP_PROTOCOL, HopType, hop, Status } from '../src/circuit-messages.ts'
import { HTTP_PROTOCOL, hostOptions } from '../src/libp2p.ts'

const AT = [0, 100, 300]
const REQUEST = 'GET /agents/echo HTTP/1.1\r\nhost: bench\r\n\r\n'

const work = await mkdtemp(join(tmpdir(), 'isek-p2p-bench-'))
const children: ChildProcess[] = []
const hosts: Libp2p[] = []

try {
  const identity = join(work, 'identity')
  await writeFile(identity, privateKeyToProtobuf(await generateKeyPair('Ed25519')))
  const relay = await started('relaying', ['relay'], { ISEK_P2P_WEBSOCKET_PORT: '0', ISEK_P2P_IDENTITY_FILE: identity })
  console.log('\n| process | peers | RSS MB | heap MB |')
  console.log('|---|---|---|---|')
  await measure('relay, reservations', relay.addresses?.split(' ')[0], relay.health, reserve)

  const node = spawn(process.execPath, [join(import.meta.dirname, 'node.ts')], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(node)
  const [nodeUrl] = (await once(createInterface(node.stdout), 'line')) as [string]
  const sidecar = await started('listening', [], {
    ISEK_P2P_API_PORT: '0',
    ISEK_P2P_NODE_URL: nodeUrl,
    ISEK_P2P_STATE_DIR: join(work, 'sidecar')
  })
  await measure('sidecar, callers', sidecar.p2p_address, sidecar.health, callOnce)
} finally {
  for (const child of children) {
    child.kill()
  }
  await Promise.all([...children.map((child) => child.exitCode ?? once(child, 'exit')), ...hosts.map((host) => host.stop())])
  await rm(work, { recursive: true })
}

async function started(message: string, args: string[], env: Record<string, string>): Promise<Record<string, string>> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../dist/p2p.mjs'), ...args], {
    env: {
      ISEK_P2P_LISTEN_HOST: '127.0.0.1',
      ISEK_P2P_LISTEN_PORT: '0',
      ISEK_P2P_HEALTH_HOST: '127.0.0.1',
      ISEK_P2P_HEALTH_PORT: '0',
      ISEK_LOG_FORMAT: 'JSON',
      ...env
    },
    stdio: ['ignore', 'ignore', 'pipe']
  })
  children.push(child)
  for await (const line of createInterface(child.stderr)) {
    const said = JSON.parse(line) as Record<string, string>
    if (said.message === message) {
      return said
    }
  }
  throw new Error(`the process ended before it said ${message}`)
}

async function measure(
  name: string,
  address: string | undefined,
  health: string | undefined,
  join: (host: Libp2p, address: Multiaddr) => Promise<void>
): Promise<void> {
  const to = multiaddr(address ?? '')
  for (const count of AT) {
    for (let peers = AT[AT.indexOf(count) - 1] ?? 0; peers < count; peers += 1) {
      await join(await newHost(), to)
    }
    const metrics = await (await fetch(`${health}/metrics`)).text()
    const megabytes = (metric: string) => (Number(new RegExp(`^${metric} (\\S+)$`, 'm').exec(metrics)?.[1]) / 1e6).toFixed(0)
    console.log(`| ${name} | ${count} | ${megabytes('process_resident_memory_bytes')} | ${megabytes('nodejs_heap_size_used_bytes')} |`)
  }
}

async function newHost(): Promise<Libp2p> {
  const host = await createLibp2p({
    ...hostOptions(
      { privateKey: await generateKeyPair('Ed25519'), protector: undefined, refuseConnections: () => false, refused: () => {} },
      () => 0
    ),
    transports: [tcp()]
  })
  await host.start()
  hosts.push(host)
  return host
}

async function reserve(host: Libp2p, address: Multiaddr): Promise<void> {
  const messages = pbStream(await (await host.dial(address)).newStream(HOP_PROTOCOL))
  await messages.write({ type: HopType.Reserve }, hop)
  const { status } = await messages.read(hop)
  if (status !== Status.Ok) {
    throw new Error(`the relay answered ${status}`)
  }
}

async function callOnce(host: Libp2p, address: Multiaddr): Promise<void> {
  const stream = await (await host.dial(address)).newStream(HTTP_PROTOCOL)
  stream.send(new TextEncoder().encode(REQUEST))
  await once(stream as unknown as EventTarget, 'message')
}
