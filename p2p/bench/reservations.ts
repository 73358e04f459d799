/** What a relay's memory grows to with the peers that reserve: the bundle as a process, and hosts that only hold a reservation. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { pbStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { HOP_PROTOCOL, HopType, hop, Status } from '../src/circuit-messages.ts'
import { hostOptions } from '../src/libp2p.ts'

const AT = [0, 100, 300]

const work = await mkdtemp(join(tmpdir(), 'isek-p2p-bench-'))
const identity = join(work, 'identity')
await writeFile(identity, privateKeyToProtobuf(await generateKeyPair('Ed25519')))
const relay = spawn(process.execPath, [join(import.meta.dirname, '../dist/p2p.mjs'), 'relay'], {
  env: {
    ISEK_P2P_LISTEN_HOST: '127.0.0.1',
    ISEK_P2P_LISTEN_PORT: '0',
    ISEK_P2P_WEBSOCKET_PORT: '0',
    ISEK_P2P_HEALTH_HOST: '127.0.0.1',
    ISEK_P2P_HEALTH_PORT: '0',
    ISEK_P2P_IDENTITY_FILE: identity,
    ISEK_LOG_FORMAT: 'JSON'
  },
  stdio: ['ignore', 'ignore', 'pipe']
})
const hosts: Libp2p[] = []

try {
  const lines = createInterface(relay.stderr)[Symbol.asyncIterator]()
  let started: Record<string, string> = {}
  while (started.message !== 'relaying') {
    started = JSON.parse((await lines.next()).value ?? '{"message": "relaying"}')
  }
  const address = multiaddr(started.addresses?.split(' ')[0] ?? '')

  console.log('| reservations | RSS MB | heap MB |')
  console.log('|---|---|---|')
  for (const count of AT) {
    while (hosts.length < count) {
      hosts.push(await reserved(address))
    }
    const metrics = await (await fetch(`${started.health}/metrics`)).text()
    const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1])
    const megabytes = (name: string) => (value(name) / 1e6).toFixed(0)
    console.log(
      `| ${value('isek_p2p_relay_reservations')} | ${megabytes('process_resident_memory_bytes')} | ${megabytes('nodejs_heap_size_used_bytes')} |`
    )
  }
} finally {
  relay.kill()
  await Promise.all([once(relay, 'exit'), ...hosts.map((host) => host.stop())])
  await rm(work, { recursive: true })
}

async function reserved(address: ReturnType<typeof multiaddr>): Promise<Libp2p> {
  const host = await createLibp2p({
    ...hostOptions(
      { privateKey: await generateKeyPair('Ed25519'), protector: undefined, refuseConnections: () => false, refused: () => {} },
      () => 0
    ),
    transports: [tcp()]
  })
  await host.start()
  const messages = pbStream(await (await host.dial(address)).newStream(HOP_PROTOCOL))
  await messages.write({ type: HopType.Reserve }, hop)
  const { status } = await messages.read(hop)
  if (status !== Status.Ok) {
    throw new Error(`the relay answered ${status}`)
  }
  return host
}
