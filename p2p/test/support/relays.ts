/** Relays for tests: in this process, or as the bundle runs in a pod. */

import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { createLog } from '../../src/log.ts'
import { startRelay as start } from '../../src/relay.ts'
import { readRelaySettings } from '../../src/settings.ts'
import { temporaryDirectory } from './mesh.ts'
import { type Running, run } from './process.ts'
import { until } from './until.ts'

export interface TestRelay {
  peerId: string
  /** Over TCP. */
  address: string
  webSocketAddress: string
  stop(): Promise<void>
  /** The value of a metric by its full name with labels, 0 where there is none. */
  metric(name: string): Promise<number>
}

export async function relayEnvironment(t: TestContext, env: Record<string, string> = {}): Promise<Record<string, string>> {
  const identity = join(await temporaryDirectory(t), `identity-${randomBytes(4).toString('hex')}`)
  await writeFile(identity, privateKeyToProtobuf(await generateKeyPair('Ed25519')))
  return {
    ISEK_P2P_LISTEN_HOST: '127.0.0.1',
    ISEK_P2P_LISTEN_PORT: '0',
    ISEK_P2P_WEBSOCKET_PORT: '0',
    ISEK_P2P_HEALTH_HOST: '127.0.0.1',
    ISEK_P2P_HEALTH_PORT: '0',
    ISEK_P2P_IDENTITY_FILE: identity,
    ...env
  }
}

/** A relay in this process. */
export async function startRelay(t: TestContext, env: Record<string, string> = {}): Promise<TestRelay> {
  const relay = await start(readRelaySettings(await relayEnvironment(t, env)), createLog({ format: 'Text', level: 'error' }))
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= relay.stop()
    return stopping
  }
  t.after(stop)
  return { peerId: relay.peerId, ...byTransport(relay.addresses), stop, metric: (name) => metricOf(relay.health, name) }
}

/** A relay as a process of its own, on ports that stay the same when it is started again. */
export async function runRelay(
  t: TestContext,
  env: Record<string, string> = {}
): Promise<TestRelay & Running & { env: Record<string, string> }> {
  const ports = {
    ISEK_P2P_LISTEN_PORT: await freePort(),
    ISEK_P2P_WEBSOCKET_PORT: await freePort(),
    ISEK_P2P_HEALTH_PORT: await freePort()
  }
  const complete: Record<string, string> = { ...(await relayEnvironment(t, ports)), ISEK_LOG_FORMAT: 'JSON', ...env }
  const running = run(t, complete, ['relay'])
  const health = `http://127.0.0.1:${complete.ISEK_P2P_HEALTH_PORT}`
  await until('the relay is ready', () =>
    fetch(`${health}/readyz`).then(
      (response) => response.ok,
      () => false
    )
  )
  const relaying = running
    .output()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, string>)
    .find(({ message }) => message === 'relaying')
  const stop = async () => {
    running.child.kill('SIGTERM')
    await running.exited
  }
  const addresses = (relaying?.addresses ?? '').split(' ')
  return {
    peerId: relaying?.peer_id ?? '',
    ...byTransport(addresses),
    ...running,
    env: complete,
    stop,
    metric: (name) => metricOf(health, name)
  }
}

function byTransport(addresses: string[]): { address: string; webSocketAddress: string } {
  const isWebSocket = (address: string) => address.includes('/ws/')
  return { address: addresses.find((each) => !isWebSocket(each)) ?? '', webSocketAddress: addresses.find(isWebSocket) ?? '' }
}

async function metricOf(health: string, name: string): Promise<number> {
  const text = await (await fetch(`${health}/metrics`)).text()
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `))
  return Number(line?.slice(name.length) ?? 0)
}

async function freePort(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return String(port)
}
