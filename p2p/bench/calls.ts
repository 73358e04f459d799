/**
 * What two sidecars add to a call: the same no-op node called directly and through them, side by side.
 *
 * Every part is a process of its own, as in a mesh; the sidecars are the bundle in dist/.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Endpoints } from '../src/sidecar.ts'

const SECONDS_EACH = 2
const WARM_UP_CALLS = 500
const CALLERS = [1, 8, 64]

const body = JSON.stringify({ sender_node_id: 'bench', message: 'hello' })
const work = await mkdtemp(join(tmpdir(), 'isek-p2p-bench-'))
const children: ChildProcess[] = []

try {
  const node = spawnPart([join(import.meta.dirname, 'node.ts')])
  const nodeUrl = await firstLine(node)
  const keyFile = join(work, 'private-network.key')
  await writeFile(keyFile, `/key/swarm/psk/1.0.0/\n/base16/\n${randomBytes(32).toString('hex')}\n`)
  const relay = await spawnRelay(keyFile)
  const relaysFile = join(work, 'relays')
  await writeFile(relaysFile, relay.address)
  const near = await spawnSidecar('near', nodeUrl, keyFile, relaysFile)
  const far = await spawnSidecar('far', nodeUrl, keyFile, relaysFile)
  const caller = await spawnSidecar('caller', nodeUrl, keyFile, relaysFile)
  const token = await readFile(join(work, 'near', 'token'), 'utf8')

  const direct: Target = { url: new URL(nodeUrl), headers: {} }
  const query = new URLSearchParams({ p2p_address: far.endpoints.p2p_address })
  const peer: Target = { url: new URL(`${near.endpoints.api}/call_peer?${query}`), headers: { authorization: `Bearer ${token}` } }
  const callersToken = await readFile(join(work, 'caller', 'token'), 'utf8')
  const throughRelay = new URLSearchParams({ p2p_address: `${relay.address}/p2p-circuit/p2p/${far.endpoints.peer_id}` })
  const relayed: Target = {
    url: new URL(`${caller.endpoints.api}/call_peer?${throughRelay}`),
    headers: { authorization: `Bearer ${callersToken}` }
  }
  await untilAnswered(relayed)

  console.log('| callers | way | calls/s | p50 ms | p99 ms | added p50 ms | throughput of direct |')
  console.log('|---|---|---|---|---|---|---|')
  for (const callers of CALLERS) {
    const floor = await measure(direct, callers)
    const through = await measure(peer, callers)
    console.log(`| ${callers} | direct HTTP | ${row(floor)} | | |`)
    const hop = await measure(relayed, callers)
    for (const [way, result] of [
      ['two sidecars', through],
      ['two sidecars and a relay', hop]
    ] as const) {
      const added = (result.p50 - floor.p50).toFixed(2)
      console.log(`| ${callers} | ${way} | ${row(result)} | ${added} | ${((100 * result.rate) / floor.rate).toFixed(0)} % |`)
    }
  }
  console.log(`\nnear: ${await cost(near.endpoints)}\nfar: ${await cost(far.endpoints)}\nrelay: ${await memory(relay.health)}`)
} finally {
  for (const child of children) {
    child.kill()
  }
  await Promise.all(children.map((child) => child.exitCode ?? once(child, 'exit')))
  await rm(work, { recursive: true })
}

interface Target {
  url: URL
  headers: Record<string, string>
}

interface Result {
  rate: number
  p50: number
  p99: number
}

async function measure(target: Target, callers: number): Promise<Result> {
  const agent = new Agent({ keepAlive: true, maxSockets: callers })
  for (let warm = 0; warm < WARM_UP_CALLS; warm += callers) {
    await Promise.all(Array.from({ length: callers }, () => call(target, agent)))
  }
  const times: number[] = []
  const begun = performance.now()
  const end = begun + SECONDS_EACH * 1000
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < end) {
        const start = performance.now()
        await call(target, agent)
        times.push(performance.now() - start)
      }
    })
  )
  const seconds = (performance.now() - begun) / 1000
  agent.destroy()
  times.sort((one, other) => one - other)
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN
  return { rate: times.length / seconds, p50: at(0.5), p99: at(0.99) }
}

async function call({ url, headers }: Target, agent: Agent): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const sent = request(url, {
      agent,
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', 'content-length': body.length }
    })
    sent.on('error', reject)
    sent.on('response', (response) => {
      response.resume().on('end', () => (response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode}`))))
    })
    sent.end(body)
  })
}

function row({ rate, p50, p99 }: Result): string {
  return `${rate.toFixed(0)} | ${p50.toFixed(2)} | ${p99.toFixed(2)}`
}

async function spawnRelay(keyFile: string): Promise<{ address: string; health: string }> {
  const identity = join(work, 'relay-identity')
  await writeFile(identity, privateKeyToProtobuf(await generateKeyPair('Ed25519')))
  const child = spawnPart([join(import.meta.dirname, '../dist/p2p.mjs'), 'relay'], {
    ISEK_P2P_LISTEN_HOST: '127.0.0.1',
    ISEK_P2P_LISTEN_PORT: '0',
    ISEK_P2P_WEBSOCKET_PORT: '0',
    ISEK_P2P_HEALTH_HOST: '127.0.0.1',
    ISEK_P2P_HEALTH_PORT: '0',
    ISEK_P2P_IDENTITY_FILE: identity,
    ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: keyFile,
    ISEK_LOG_FORMAT: 'JSON'
  })
  const { addresses, health } = JSON.parse(await firstLine(child)) as { addresses: string; health: string }
  return { address: addresses.split(' ')[0] ?? '', health }
}

/** The far sidecar reserves at the relay a moment after it has started. */
async function untilAnswered(target: Target): Promise<void> {
  const agent = new Agent()
  const end = performance.now() + 20_000
  for (;;) {
    try {
      await call(target, agent)
      return
    } catch (error) {
      if (performance.now() > end) {
        throw error
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

async function spawnSidecar(name: string, nodeUrl: string, keyFile: string, relaysFile: string): Promise<{ endpoints: Endpoints }> {
  const child = spawnPart([join(import.meta.dirname, '../dist/p2p.mjs')], {
    ISEK_P2P_LISTEN_HOST: '127.0.0.1',
    ISEK_P2P_LISTEN_PORT: '0',
    ISEK_P2P_API_PORT: '0',
    ISEK_P2P_HEALTH_HOST: '127.0.0.1',
    ISEK_P2P_HEALTH_PORT: '0',
    ISEK_P2P_NODE_URL: nodeUrl,
    ISEK_P2P_STATE_DIR: join(work, name),
    ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: keyFile,
    ISEK_P2P_RELAYS_FILE: relaysFile,
    ISEK_LOG_FORMAT: 'JSON'
  })
  return { endpoints: JSON.parse(await firstLine(child)) as Endpoints }
}

function spawnPart(args: string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  return child
}

/** The line by which a part says that it listens. */
async function firstLine(child: ChildProcess): Promise<string> {
  const output = child.stdout && child.stderr ? [child.stdout, child.stderr] : []
  const [line] = (await Promise.race([...output.map((stream) => once(createInterface(stream), 'line')), failed(child)])) as [string]
  return line
}

async function failed(child: ChildProcess): Promise<never> {
  const [code] = await once(child, 'exit')
  throw new Error(`a part ended with exit code ${code} before it listened`)
}

/** What holds however busy the machine is. */
async function cost({ health }: Endpoints): Promise<string> {
  const value = await metricsOf(health)
  const cpuMs = (1000 * value(/process_cpu_seconds_total/)) / value(/isek_p2p_call_duration_seconds_count\{.*\}/)
  return `${await memory(health)}, ${cpuMs.toFixed(2)} ms of CPU a call`
}

async function memory(health: string): Promise<string> {
  return `RSS ${((await metricsOf(health))(/process_resident_memory_bytes/) / 1e6).toFixed(0)} MB`
}

async function metricsOf(health: string): Promise<(name: RegExp) => number> {
  const metrics = await (await fetch(`${health}/metrics`)).text()
  return (name) => Number(new RegExp(`^${name.source} (\\S+)$`, 'm').exec(metrics)?.[1])
}
