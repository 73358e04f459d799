import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Echo, errorOf, startNode, startPeer, temporaryDirectory } from './support/mesh.ts'
import { run, runPeer } from './support/process.ts'
import { until } from './support/until.ts'

test('two bundled sidecars carry a call', async (t) => {
  const node = await startNode(t)
  const near = await runPeer(t, node.url)
  const far = await runPeer(t, node.url)

  const { headers } = (await (await near.call(far.p2p_address, { body: 'hi' })).json()) as Echo

  assert.equal(headers['isek-peer-id'], near.peer_id)
})

const hasIPv6 = Object.values(networkInterfaces())
  .flat()
  .some((each) => each?.address === '::1')

test('a sidecar that is told no address listens at all of them', { skip: !hasIPv6 }, async (t) => {
  const node = await startNode(t)
  const near = await startPeer(t, node.url)

  for (const [announced, host] of [
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '[::1]']
  ] as const) {
    const env = { ISEK_P2P_LISTEN_HOST: '', ISEK_P2P_HEALTH_HOST: '', ISEK_P2P_ANNOUNCE_HOST: announced }
    const far = await runPeer(t, node.url, env)

    assert.match(far.p2p_address, new RegExp(`^/ip[46]/${announced}/tcp/`))
    assert.equal((await near.call(far.p2p_address, { body: 'hi' })).status, 200)
    assert.equal((await fetch(`http://${host}:${new URL(far.health).port}/readyz`)).status, 200)
  }
})

test('SIGTERM lets a running call end and takes no new one', async (t) => {
  const held: ServerResponse[] = []
  const node = await startNode(t, (_, outgoing) => held.push(outgoing))
  const near = await startPeer(t, node.url)
  const far = await runPeer(t, node.url)
  const call = near.call(far.p2p_address)
  await until('the call runs', () => held.length === 1)

  far.child.kill('SIGTERM')
  await until('the sidecar is unready', async () => (await fetch(`${far.health}/readyz`)).status === 503)
  const refused = await errorOf(await near.call(far.p2p_address))
  held[0]?.end('done')

  assert.equal(refused.code, 'PeerUnreachable')
  assert.equal(await (await call).text(), 'done')
  assert.equal((await far.exited).code, 0)
})

test('a sidecar with nothing to do ends at once on SIGTERM', async (t) => {
  const far = await runPeer(t, (await startNode(t)).url)
  const begun = performance.now()

  far.child.kill('SIGTERM')

  assert.equal((await far.exited).code, 0)
  assert.ok(performance.now() - begun < 10_000)
})

test('identity and token outlive a restart and are readable for those who need them only', async (t) => {
  const { url } = await startNode(t)
  const stateDir = await temporaryDirectory(t)
  const before = await runPeer(t, url, { ISEK_P2P_STATE_DIR: stateDir })
  await before.stop()

  const after = await startPeer(t, url, { ISEK_P2P_STATE_DIR: stateDir })

  assert.equal(after.peer_id, before.peer_id)
  assert.equal(after.token, before.token)
  const modes = await Promise.all(['identity', 'token'].map(async (file) => ((await stat(join(stateDir, file))).mode & 0o777).toString(8)))
  assert.deepEqual(modes, ['600', '640'])
})

test('a sidecar is ready while its node is not there yet', async (t) => {
  const peer = await startPeer(t, 'http://127.0.0.1:1')

  assert.equal((await fetch(`${peer.health}/healthz`)).status, 200)
  assert.equal((await fetch(`${peer.health}/readyz`)).status, 200)
})

test('the address for peers carries the announced host', async (t) => {
  const peer = await startPeer(t, 'http://127.0.0.1:1', { ISEK_P2P_ANNOUNCE_HOST: '10.1.2.3' })

  assert.match(peer.p2p_address, new RegExp(`^/ip4/10\\.1\\.2\\.3/tcp/\\d+/p2p/${peer.peer_id}$`))
})

test('without an announced host the address is one that other hosts can dial', async (t) => {
  const peer = await startPeer(t, 'http://127.0.0.1:1', { ISEK_P2P_LISTEN_HOST: '0.0.0.0' })

  assert.doesNotMatch(peer.p2p_address, /\/(0\.0\.0\.0|127\.0\.0\.1)\//)
})

test('JSON logs are one object a line and never hold the token', async (t) => {
  const stateDir = await temporaryDirectory(t)
  const peer = await runPeer(t, 'http://127.0.0.1:1', { ISEK_LOG_FORMAT: 'JSON', ISEK_LOG_LEVEL: 'debug', ISEK_P2P_STATE_DIR: stateDir })
  await peer.stop()
  const { stderr } = await peer.exited

  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: string; message: string })
  assert.ok(lines.some(({ level, message }) => level === 'warning' && message.startsWith('no private network')))
  assert.ok(!stderr.includes(await readFile(join(stateDir, 'token'), 'utf8')))
})

test('a state directory that cannot be written is named', async (t) => {
  const file = join(await temporaryDirectory(t), 'file')
  await writeFile(file, '')

  const { code, stderr } = await run(t, { ISEK_P2P_STATE_DIR: file }).exited

  assert.equal(code, 1)
  assert.match(stderr, /^isek-p2p: cannot read .*\/file\/token: ENOTDIR.*\n$/)
})
