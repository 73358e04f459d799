import assert from 'node:assert/strict'
import { rename, symlink, writeFile } from 'node:fs/promises'
import type { RequestListener, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { chooseRelays } from '../src/relay-choice.ts'
import { parseRelays } from '../src/relays-file.ts'
import { type Echo, errorOf, type Peer, privateNetworkKey, startNode, startPeer, temporaryDirectory } from './support/mesh.ts'
import { runPeer } from './support/process.ts'
import { runRelay, startRelay, type TestRelay } from './support/relays.ts'
import { startTlsProxy } from './support/tls-proxy.ts'
import { until } from './support/until.ts'

/** Some rounds in which a sidecar looks after its relays, and the rest after a refusal. */
const NOTICED_MS = 25_000

interface Mesh {
  near: Peer
  far: Peer
  /** The addresses of the far peer: a direct one at which nobody listens, and those through relays. */
  addresses(): Promise<string[]>
}

/** Two sidecars that know the relays; the near one is told a direct address of the far one that leads nowhere. */
async function startRelayed(t: TestContext, relays: string[], handler?: RequestListener, env: Record<string, string> = {}): Promise<Mesh> {
  const file = join(await temporaryDirectory(t), 'relays')
  await writeFile(file, relays.join('\n'))
  const near = await startPeer(t, (await startNode(t)).url, { ...env, ISEK_P2P_RELAYS_FILE: file })
  const far = await startPeer(t, (await startNode(t, handler)).url, { ...env, ISEK_P2P_RELAYS_FILE: file })
  await reserved(far, Math.min(relays.length, 2))
  const addresses = async () => (await far.context()).p2p_addresses.map((each) => (each === far.p2p_address ? nowhere(far) : each))
  return { near, far, addresses }
}

async function reserved(peer: Peer, relays: number): Promise<void> {
  const inUse = async () => new Set((await peer.context()).p2p_addresses.map((each) => each.split('/p2p-circuit')[0])).size - 1
  await until(`${relays} relays are in use`, async () => (await inUse()) === relays, NOTICED_MS)
}

/** An address of the peer at which nobody listens. */
function nowhere(peer: Peer): string {
  return `/ip4/127.0.0.1/tcp/1/p2p/${peer.peer_id}`
}

function way(response: Response): string | null {
  return response.headers.get('isek-path')
}

test('a peer that cannot be dialled directly is called through its relay, and both sides are told', async (t) => {
  const keyFile = await privateNetworkKey(t)
  const env = { ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: keyFile }
  const relay = await startRelay(t, env)
  const { near, far, addresses } = await startRelayed(t, [relay.address], undefined, env)

  const answer = await near.call(await addresses(), { body: 'x'.repeat(1_000_000), headers: { 'isek-path': 'libp2p' } })
  const { headers, bytes } = (await answer.json()) as Echo

  assert.deepEqual([answer.status, way(answer), bytes], [200, 'relay', 1_000_000])
  assert.deepEqual([headers['isek-path'], headers['isek-peer-id']], ['relay', near.peer_id])
  assert.equal(await near.metric('isek_p2p_calls_total{direction="outbound",outcome="Answered",path="relay"}'), 1)
  assert.equal(await far.metric('isek_p2p_calls_total{direction="inbound",outcome="Answered",path="relay"}'), 1)
  assert.equal(await relay.metric('isek_p2p_relay_circuits'), 1)
})

test('a relay is reached over WebSockets alone, plain and behind a proxy that ends TLS', async (t) => {
  const env = { ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: await privateNetworkKey(t) }
  const relay = await startRelay(t, env)
  const proxy = await startTlsProxy(t, relay.webSocketAddress)
  const file = join(await temporaryDirectory(t), 'relays')
  await writeFile(file, `/dns4/localhost/tcp/${proxy.port}/wss/p2p/${relay.peerId}\n`)
  const outside = { ...env, ISEK_P2P_RELAYS_FILE: file, NODE_EXTRA_CA_CERTS: proxy.certificate }
  const { near } = await startRelayed(t, [relay.webSocketAddress], undefined, env)

  const far = await runPeer(t, (await startNode(t)).url, outside)
  await reserved(far, 1)
  const answer = await near.call([nowhere(far), `${relay.webSocketAddress}/p2p-circuit/p2p/${far.peer_id}`])
  const back = await far.call(`/dns4/localhost/tcp/${proxy.port}/wss/p2p/${relay.peerId}/p2p-circuit/p2p/${near.peer_id}`)

  assert.deepEqual([answer.status, way(answer)], [200, 'relay'])
  assert.equal(back.status, 200)
  assert.ok(proxy.connections() > 0)
})

test('where both ways work the direct one is taken', async (t) => {
  const relay = await startRelay(t)
  const { near, far } = await startRelayed(t, [relay.address])

  const answer = await near.call((await far.context()).p2p_addresses.toReversed())

  assert.deepEqual([answer.status, way(answer)], [200, 'libp2p'])
  assert.equal(await relay.metric('isek_p2p_relay_requests_total{kind="Connect",outcome="Ok"}'), 0)
})

test('the direct way is taken by new calls as soon as it is there, and a running one goes on', async (t) => {
  const relay = await startRelay(t)
  const held: ServerResponse[] = []
  const { near, far, addresses } = await startRelayed(t, [relay.address], (incoming, outgoing) => {
    if (incoming.url === '/agents/slow') {
      held.push(outgoing)
    } else {
      outgoing.end('ok')
    }
  })
  const slow = near.call(await addresses(), { path: '/agents/slow' })
  await until('the slow call runs', () => held.length === 1)
  assert.equal(way(await near.call(await addresses())), 'relay')

  await (await far.call(near.p2p_address)).text() // a direct connection, by whomever it was opened

  assert.equal(way(await near.call(await addresses())), 'libp2p')
  held[0]?.end('done')
  assert.equal(await (await slow).text(), 'done')
  await until('the relayed connection is closed', async () => (await relay.metric('isek_p2p_relay_circuits')) === 0, 20_000)
})

test('a caller that can be reached itself is called back, and its calls change to that connection', async (t) => {
  const relay = await startRelay(t)
  const file = join(await temporaryDirectory(t), 'relays')
  await writeFile(file, relay.address)
  const env = { ISEK_P2P_RELAYS_FILE: file, ISEK_P2P_ANNOUNCE_HOST: '127.0.0.1' }
  const node = await startNode(t)
  const near = await startPeer(t, node.url, env)
  const far = await startPeer(t, node.url, env)
  await reserved(far, 1)
  const addresses = (await far.context()).p2p_addresses.map((each) => (each === far.p2p_address ? nowhere(far) : each))
  const first = way(await near.call(addresses))

  await until('the calls go directly', async () => way(await near.call(addresses)) === 'libp2p')

  assert.equal(first, 'relay')
  assert.equal(await near.metric('isek_p2p_connections{direction="inbound"}'), 1, 'the far side has opened it')
})

test('a call does not wait each time for an address that leads nowhere', async (t) => {
  const relay = await startRelay(t)
  const { near, far, addresses } = await startRelayed(t, [relay.address])
  const silent = (await addresses()).map((each) => (each === nowhere(far) ? `/ip4/192.0.2.1/tcp/9000/p2p/${far.peer_id}` : each))
  assert.equal(way(await near.call(silent)), 'relay')

  const took: number[] = []
  for (let calls = 0; calls < 20; calls++) {
    const begun = performance.now()
    assert.equal((await near.call(silent)).status, 200)
    took.push(performance.now() - begun)
  }
  assert.ok(took.filter((each) => each < 300).length > 10, 'each call would have waited 300 ms')
})

test('when a relay is killed the other one carries the calls, and when it is back it is used again', async (t) => {
  const [one, other] = [await runRelay(t), await runRelay(t)]
  const { near, far, addresses } = await startRelayed(t, [one.address, other.webSocketAddress])
  const first = await near.call(await addresses())
  assert.equal(way(first), 'relay')
  const [used, spare] = (await one.metric('isek_p2p_relay_circuits')) === 1 ? [one, other] : [other, one]

  const before = await addresses()
  used.child.kill('SIGKILL')
  await used.exited
  assert.equal(way(await near.call(before)), 'relay', 'the addresses of before still have the other one')
  await reserved(far, 1)
  assert.ok((await addresses()).some((each) => each.includes(spare.peerId)))

  await runRelay(t, used.env)
  await reserved(far, 2)
})

test('with all relays gone a call says why it cannot be made, and works again once one is back', async (t) => {
  const relay = await runRelay(t)
  const { near, far, addresses } = await startRelayed(t, [relay.address])
  const before = await addresses()
  assert.equal((await near.call(before)).status, 200)

  await relay.stop()
  await reserved(far, 0)
  const { status, code, message, delivered } = await errorOf(await near.call(before, { headers: { 'isek-timeout-ms': '10000' } }))

  assert.deepEqual([status, code, delivered], [502, 'PeerUnreachable', 'No'])
  assert.match(message, /directly: .*ECONNREFUSED.*; through its relay: .*ECONNREFUSED/)
  await runRelay(t, relay.env)
  await reserved(far, 1)
  assert.equal(way(await near.call(await addresses())), 'relay')
})

test('a relay that goes silent is given up for another one', async (t) => {
  const [silent, other] = [await runRelay(t), await runRelay(t)]
  const { near, far, addresses } = await startRelayed(t, [silent.address, other.address])

  silent.child.kill('SIGSTOP')
  t.after(() => silent.child.kill('SIGCONT'))
  await reserved(far, 1)

  assert.ok((await addresses()).every((each) => !each.includes(silent.peerId)))
  assert.equal(way(await near.call(await addresses())), 'relay')
})

test('what the node is told of changes with the file', async (t) => {
  const relay = await startRelay(t)
  const file = join(await temporaryDirectory(t), 'relays')
  const peer = await startPeer(t, 'http://127.0.0.1:1', { ISEK_P2P_RELAYS_FILE: file })
  assert.deepEqual((await peer.context()).p2p_addresses, [peer.p2p_address])

  await writeFile(file, `# the first\n${relay.address} # in this cluster\n`)
  await reserved(peer, 1)
  assert.deepEqual((await peer.context()).p2p_addresses, [peer.p2p_address, `${relay.address}/p2p-circuit/p2p/${peer.peer_id}`])

  await writeFile(file, '')
  await reserved(peer, 0)
})

test('the file is read again when a link to it is turned to another one, as a kubelet does it', async (t) => {
  const folder = await temporaryDirectory(t)
  const [one, other] = [await startRelay(t), await startRelay(t)]
  const file = join(folder, 'relays')
  await writeFile(join(folder, 'old'), one.address)
  await writeFile(join(folder, 'new'), other.address)
  await symlink('old', file)
  const peer = await startPeer(t, 'http://127.0.0.1:1', { ISEK_P2P_RELAYS_FILE: file })
  const uses = async (relay: TestRelay) => (await peer.context()).p2p_addresses.some((each) => each.includes(relay.peerId))
  await until('the first relay is used', () => uses(one), NOTICED_MS)

  await symlink('new', join(folder, 'next'))
  await rename(join(folder, 'next'), file)

  await until('the second relay is used', () => uses(other), NOTICED_MS)
  assert.equal(await uses(one), false)
})

test('what is no relay is passed over, and used once it has become one', async (t) => {
  const relay = await startRelay(t)
  const sidecar = await startPeer(t, 'http://127.0.0.1:1')
  const file = join(await temporaryDirectory(t), 'relays')
  await writeFile(file, [sidecar.p2p_address, 'nonsense', relay.address].join('\n'))
  const peer = await startPeer(t, 'http://127.0.0.1:1', { ISEK_P2P_RELAYS_FILE: file })
  await reserved(peer, 1)
  assert.ok((await peer.context()).p2p_addresses[1]?.includes(relay.peerId))

  await sidecar.stop()
  const port = /\/tcp\/(\d+)\//.exec(sidecar.p2p_address)?.[1] ?? ''
  await startRelay(t, { ISEK_P2P_IDENTITY_FILE: join(sidecar.stateDir, 'identity'), ISEK_P2P_LISTEN_PORT: port })

  await reserved(peer, 2)
})

test('addresses of two peers are not one call', async (t) => {
  const node = await startNode(t)
  const [near, one, other] = [await startPeer(t, node.url), await startPeer(t, node.url), await startPeer(t, node.url)]

  const { code, message } = await errorOf(await near.call([one.p2p_address, other.p2p_address]))

  assert.equal(code, 'BadAddress')
  assert.match(message, /of another peer than the first/)
})

test('a file with relays is read line by line, and says what it passes over', () => {
  const warnings: string[] = []
  const id = '12D3KooWJvyP3VJYymTqG7eH4PM5rN4T2agk5cdNCfNymAqwqcvZ'
  const text = `# relays\n/ip4/10.0.0.7/tcp/9000/p2p/${id}\n\n/dns4/relay.example.com/tcp/443/wss/p2p/${id}\n/ip4/10.0.0.7/tcp/9000\nrelay\n`

  const relays = parseRelays(text, { warning: (_, fields) => void warnings.push(String(fields?.line)) })

  assert.deepEqual(
    [...relays].map(([peerId, ways]) => [peerId, ways.length]),
    [[id, 2]]
  )
  assert.deepEqual(warnings, ['/ip4/10.0.0.7/tcp/9000', 'relay'])
})

test('the fastest relays are chosen, and kept until one is gone or another much faster', () => {
  const at = (times: Record<string, number | undefined>) => Object.entries(times).map(([peerId, rtt]) => ({ peerId, rtt }))

  assert.deepEqual(chooseRelays(at({ a: 30, b: 10, c: 20 }), []), ['b', 'c'])
  assert.deepEqual(chooseRelays(at({ a: 19, b: 10, c: 20 }), ['b', 'c']), ['b', 'c'])
  assert.deepEqual(chooseRelays(at({ a: 9, b: 10, c: 20 }), ['b', 'c']), ['a', 'b'])
  assert.deepEqual(chooseRelays(at({ a: 1, b: 2, c: 3 }), ['b', 'c']), ['b', 'c'], 'less than 5 ms are not worth a change')
  assert.deepEqual(chooseRelays(at({ a: 19, b: undefined, c: 20 }), ['b', 'c']), ['a', 'c'])
  assert.deepEqual(chooseRelays(at({ a: undefined }), ['a']), [])
})
