import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Libp2p } from '@libp2p/interface'
import { preSharedKey } from '@libp2p/pnet'
import { multiaddr } from '@multiformats/multiaddr'
import { createHost, HTTP_PROTOCOL } from '../src/libp2p.ts'
import { errorOf, startNode, startPair, swarmKey } from './support/mesh.ts'
import { giveKeys, startWithKeys } from './support/network-keys.ts'
import { until } from './support/until.ts'

const [OLD, NEW] = [swarmKey(), swarmKey()]

/** A host that protects its connections with libp2p's own implementation. */
async function startOriginal(t: TestContext, key: string): Promise<Libp2p> {
  const { libp2p: host } = await createHost({
    privateKey: await generateKeyPair('Ed25519'),
    listenHost: '127.0.0.1',
    listenPort: 0,
    announceHost: undefined,
    protector: preSharedKey({ psk: Buffer.from(key.trimEnd()) }),
    refuseConnections: () => false,
    refused: () => {}
  })
  await host.start()
  t.after(() => host.stop())
  return host
}

async function closed(socket: Socket): Promise<void> {
  await new Promise((resolve) => socket.once('close', resolve))
}

for (const [keys, which] of [
  [[OLD], 'the only key'],
  [[OLD, NEW], 'the first of two keys'],
  [[NEW, OLD], 'the second of two keys']
] as const) {
  test(`libp2p's own private network dials a sidecar with ${which}`, async (t) => {
    const far = await startWithKeys(t, (await startNode(t)).url, keys)
    const original = await startOriginal(t, OLD)

    const connection = await original.dial(multiaddr(far.p2p_address))
    const stream = await connection.newStream(HTTP_PROTOCOL)
    stream.send(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    const [{ data }] = (await once(stream, 'message')) as [{ data: Uint8Array }]

    assert.match(Buffer.from(data.subarray()).toString(), /^HTTP\/1.1 200 OK/)
  })
}

test("a sidecar dials libp2p's own private network with its first key", async (t) => {
  const original = await startOriginal(t, OLD)
  const [address] = original.getMultiaddrs()
  const near = await startWithKeys(t, (await startNode(t)).url, [OLD, NEW])
  const other = await startWithKeys(t, (await startNode(t)).url, [NEW, OLD])
  await original.handle(HTTP_PROTOCOL, (stream) => void stream.send(Buffer.from('HTTP/1.1 204 No Content\r\n\r\n')))

  assert.equal((await near.call(String(address))).status, 204)
  assert.equal((await errorOf(await other.call(String(address)))).code, 'PeerUnreachable')
})

test('who holds none of the keys gets nothing but a nonce, soon', async (t) => {
  const { far } = await startPair(t)
  const socket = connect(Number(/\/tcp\/(\d+)\//.exec(far.p2p_address)?.[1]), '127.0.0.1').on('error', () => {})
  const got: Buffer[] = []
  socket.on('data', (data) => got.push(data))

  socket.write(Buffer.alloc(200, 'x'))
  await closed(socket)

  assert.equal(Buffer.concat(got).length, 24)
  assert.equal(await far.metric('isek_p2p_refused_connections_total{reason="PrivateNetworkKey"}'), 1)
})

test('who says nothing is let go of', async (t) => {
  const { near, far } = await startPair(t)
  const port = Number(/\/tcp\/(\d+)\//.exec(far.p2p_address)?.[1])
  const silent = Array.from({ length: 100 }, () =>
    connect(port, '127.0.0.1')
      .on('error', () => {})
      .resume()
  )
  const allClosed = Promise.all(silent.map(closed)) // some may be before the answer is there

  const answer = await near.call(far.p2p_address)
  await allClosed

  assert.equal(answer.status, 200)
})

test('a key is replaced while calls run, and none of them fails', { timeout: 180_000 }, async (t) => {
  const node = await startNode(t, (incoming, outgoing) => {
    incoming.resume().on('end', () => (incoming.url === '/agents/slow' ? slow.push(outgoing) : outgoing.end('done')))
  })
  const slow: Array<{ end(text: string): void }> = []
  const peers = [
    await startWithKeys(t, node.url, [OLD]),
    await startWithKeys(t, node.url, [OLD]),
    await startWithKeys(t, node.url, [OLD])
  ] as const
  const [first, second] = peers
  const left = await startWithKeys(t, node.url, [OLD])
  const long = first.call(second.p2p_address, { path: '/agents/slow', body: 'x' })
  await until('a long call runs', () => slow.length === 1, 20_000)
  const ofTheLeft = left.call(first.p2p_address, { path: '/agents/slow', body: 'x' })
  await until('so does one of a peer that is left out', () => slow.length === 2, 20_000)

  let running = true
  const answered: number[] = []
  const load = peers.flatMap((from) =>
    peers
      .filter((to) => to !== from)
      .map(async (to) => {
        while (running) {
          const answer = await from.call(to.p2p_address, { body: 'x'.repeat(20_000) })
          answered.push(answer.status)
          await answer.text()
        }
      })
  )
  await until('calls run', () => answered.length > 100, 30_000)
  await giveKeys([...peers], [OLD, NEW])
  await giveKeys([...peers], [NEW, OLD])
  await giveKeys([...peers], [NEW])
  const before = answered.length
  await until('calls run on', () => answered.length > before + 100, 30_000)
  running = false
  await Promise.all(load)
  slow[0]?.end('late')

  assert.deepEqual(new Set(answered), new Set([200]))
  assert.equal(await (await long).text(), 'late')
  assert.equal((await errorOf(await left.call(first.p2p_address))).code, 'PeerRefused')
  slow[1]?.end('late')
  assert.equal(await (await ofTheLeft).text(), 'late')
  const code = async () => (await errorOf(await left.call(first.p2p_address))).code
  await until('who is left out cannot even connect', async () => (await code()) === 'PeerUnreachable', 20_000)
})

test('keys never stand in what a sidecar logs or tells', async (t) => {
  const far = await startWithKeys(t, (await startNode(t)).url, [OLD])
  const digits = (await readFile(far.keyFile, 'utf8')).split('\n')[2] as string

  assert.ok(!JSON.stringify((await far.context()).network_keys).includes(digits.slice(0, 8)))
})
