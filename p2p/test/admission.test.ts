import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { type Answer, createGate } from '../src/gate.ts'
import { DIAL_TIMEOUT_MS } from '../src/libp2p.ts'
import { errorOf, privateNetworkKey, startNode, startPair, startPeer } from './support/mesh.ts'
import { until } from './support/until.ts'

test('a peer that the far node does not know is refused at once and its connection closed', async (t) => {
  const { near, far, farNode } = await startPair(t)
  farNode.knows = () => false

  const begun = performance.now()
  const { status, code, header } = await errorOf(await near.call(far.p2p_address))

  assert.deepEqual([status, code, header], [403, 'PeerRefused', 'PeerRefused'])
  assert.ok(performance.now() - begun < 2 * DIAL_TIMEOUT_MS)
  await until('the connection is closed', async () => (await near.metric('isek_p2p_connections{direction="outbound"}')) === 0)
})

test('a call that was let in goes on when its peer is not let in any more', { timeout: 60_000 }, async (t) => {
  let finish: (() => void) | undefined
  const { near, far, farNode } = await startPair(t, (incoming, outgoing) => {
    if (incoming.url === '/agents/long') {
      finish = () => outgoing.end('done')
    } else {
      outgoing.end()
    }
  })
  const status = async () => {
    const answer = await near.call(far.p2p_address)
    await answer.arrayBuffer()
    return answer.status
  }
  const long = near.call(far.p2p_address, { path: '/agents/long' })
  await until('the call runs', () => finish !== undefined)
  farNode.knows = () => false
  await until('its peer is refused', async () => (await status()) === 403, 20_000)
  finish?.()

  assert.equal(await (await long).text(), 'done')
  const open = async () => await near.metric('isek_p2p_connections{direction="outbound"}')
  await until('the connection is closed', async () => (await status()) === 403 && (await open()) === 0)
})

test('a peer that was refused gets in as soon as the far node knows it', async (t) => {
  const { near, far, farNode } = await startPair(t)
  farNode.knows = () => false
  assert.equal((await near.call(far.p2p_address)).status, 403)

  farNode.knows = (peerId) => peerId === near.peer_id

  assert.equal((await near.call(far.p2p_address)).status, 200)
})

test('the far node is asked once for a connection, not once for a call', async (t) => {
  const { near, far, farNode } = await startPair(t)

  await Promise.all(Array.from({ length: 20 }, async () => (await near.call(far.p2p_address)).text()))

  assert.deepEqual(farNode.asked, [near.peer_id])
})

test('the far node is asked again after 10 s, and its new answer counts', async (t) => {
  let now = 0
  const answers: Answer[] = []
  const node = await startNode(t)
  const gate = createGate({ nodeUrl: new URL(node.url), token: 'token', asked: (answer) => answers.push(answer), now: () => now })
  const connection = { remotePeer: '12D3KooWJvyP3VJYymTqG7eH4PM5rN4T2agk5cdNCfNymAqwqcvZ' } as unknown as Connection

  await gate.admit(connection)
  node.knows = () => false
  now = 9_999
  await gate.admit(connection)
  now = 10_000
  await assert.rejects(gate.admit(connection), { code: 'PeerRefused' })

  assert.deepEqual(answers, ['Known', 'Unknown'])
})

test('calls are let in by the token of the sidecar alone', async (t) => {
  const node = await startNode(t)
  const fetched = mock.method(globalThis, 'fetch')
  t.after(() => fetched.mock.restore())

  await createGate({ nodeUrl: new URL(node.url), token: 'secret', asked: () => {} }).admit({ remotePeer: 'peer' } as unknown as Connection)

  assert.deepEqual(fetched.mock.calls[0]?.arguments[1]?.headers, { 'Isek-Token': 'secret' })
})

test('a far node that is down is no refusal: the caller may try another replica', async (t) => {
  const { near, far, farNode } = await startPair(t)
  farNode.stop()

  const { status, code, delivered } = await errorOf(await near.call(far.p2p_address))

  assert.deepEqual([status, code, delivered], [502, 'PeerNodeUnavailable', 'No'])
})

test('a far node that goes down in the middle is named as such', async (t) => {
  const { near, far, farNode } = await startPair(t, () => farNode.stop())

  const { status, code, delivered } = await errorOf(await near.call(far.p2p_address))

  assert.deepEqual([status, code, delivered], [502, 'PeerNodeUnavailable', 'Unknown'])
})

test('a holder of another private network key cannot speak', async (t) => {
  const farNode = await startNode(t)
  const far = await startPeer(t, farNode.url, { ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: await privateNetworkKey(t) })
  const stranger = await startPeer(t, farNode.url, { ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: await privateNetworkKey(t) })
  const begun = performance.now()

  const { status, code } = await errorOf(await stranger.call(far.p2p_address))

  assert.deepEqual([status, code], [502, 'PeerUnreachable'])
  assert.ok(performance.now() - begun < 4 * DIAL_TIMEOUT_MS)
  assert.deepEqual(farNode.asked, [])
})

test('one without a private network key cannot speak', async (t) => {
  const farNode = await startNode(t)
  const far = await startPeer(t, farNode.url, { ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: await privateNetworkKey(t) })
  const stranger = await startPeer(t, farNode.url)

  assert.equal((await errorOf(await stranger.call(far.p2p_address))).code, 'PeerUnreachable')
  assert.deepEqual(farNode.asked, [])
})
