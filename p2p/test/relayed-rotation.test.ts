import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import type { RequestListener, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { privateNetworkKey, startNode, swarmKey, temporaryDirectory } from './support/mesh.ts'
import { fingerprints, giveKeys, startWithKeys, TAKEN_UP_MS } from './support/network-keys.ts'
import { runRelay } from './support/relays.ts'
import { until } from './support/until.ts'

/** Some rounds in which a sidecar looks after its relays, on a machine that is busy. */
const NOTICED_MS = 40_000

test('a key is replaced while a peer is called through a relay all the time, and no call fails', { timeout: 180_000 }, async (t) => {
  const [OLD, NEW] = [swarmKey(), swarmKey()]
  const keysOfRelay = await privateNetworkKey(t, OLD)
  const relay = await runRelay(t, { ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: keysOfRelay })
  const relays = join(await temporaryDirectory(t), 'relays')
  await writeFile(relays, relay.address)
  const slow: ServerResponse[] = []
  const handler: RequestListener = (incoming, outgoing) => {
    incoming.resume().on('end', () => (incoming.url === '/agents/slow' ? slow.push(outgoing) : outgoing.end('done')))
  }
  const start = async () => await startWithKeys(t, (await startNode(t, handler)).url, [OLD], { ISEK_P2P_RELAYS_FILE: relays })
  const [near, far, other] = [await start(), await start(), await start()]
  const address = `${relay.address}/p2p-circuit/p2p/${far.peer_id}`

  const giveRelay = async (keys: string[]) => {
    await writeFile(keysOfRelay, keys.join(''))
    await until('the relay takes up the keys', () => relay.output().includes(`"${fingerprints(keys)}"`), TAKEN_UP_MS)
  }
  const accepted = (kind: string) => relay.metric(`isek_p2p_relay_requests_total{kind="${kind}",outcome="Ok"}`)
  await until('all can be called', async () => (await accepted('Reserve')) === 3, NOTICED_MS)

  const long = near.call(address, { path: '/agents/slow' })
  await until('a long call runs', () => slow.length === 1, NOTICED_MS)
  let running = true
  const answered: string[] = []
  const reservations: number[] = []
  const load = (async () => {
    while (running) {
      const answer = await near.call(address)
      answered.push(`${answer.status} ${await answer.text()}`)
      reservations.push(await relay.metric('isek_p2p_relay_reservations'))
    }
  })()

  await giveRelay([OLD, NEW])
  await giveKeys([near, far, other], [OLD, NEW])

  const before = await accepted('Connect')
  await giveRelay([NEW, OLD])
  await giveKeys([near], [NEW, OLD])
  await until(
    'the caller calls by the new key, where the called one is known by the former',
    async () => (await accepted('Connect')) > before
  )
  await giveKeys([far, other], [NEW, OLD])
  await until('all can be called by the new key', async () => (await accepted('Reserve')) === 6, NOTICED_MS)

  await giveRelay([NEW])
  const first = await other.call(address)
  await giveKeys([near, far, other], [NEW])
  slow[0]?.end('late')
  const connections = () => relay.metric('isek_p2p_connections{direction="inbound"}')
  await until('nothing goes over the former connections', async () => (await connections()) === 3, NOTICED_MS)
  running = false
  await load

  assert.deepEqual([first.status, await first.text()], [200, 'done'])
  assert.deepEqual(new Set(answered), new Set(['200 done']))
  assert.equal(Math.min(...reservations), 3, 'none is given up before there is another one')
  assert.equal(await (await long).text(), 'late')
})
