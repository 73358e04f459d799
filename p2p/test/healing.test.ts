import assert from 'node:assert/strict'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { test } from 'node:test'
import { DIAL_TIMEOUT_MS } from '../src/libp2p.ts'
import { errorOf, type Peer, startNode, startPair, startPeer, temporaryDirectory } from './support/mesh.ts'
import { runPeer } from './support/process.ts'
import { until } from './support/until.ts'

function portOf(peer: Peer): string {
  return /\/tcp\/(\d+)\//.exec(peer.p2p_address)?.[1] ?? ''
}

test('a port on which nobody listens is reported at once', async (t) => {
  const near = await startPeer(t, (await startNode(t)).url)
  const gone = await startPeer(t, (await startNode(t)).url)
  await gone.stop()
  const begun = performance.now()

  const { status, code, message, delivered } = await errorOf(await near.call(gone.p2p_address))

  assert.deepEqual([status, code, delivered], [502, 'PeerUnreachable', 'No'])
  assert.match(message, /ECONNREFUSED/)
  assert.ok(performance.now() - begun < DIAL_TIMEOUT_MS)
})

test('a peer that was killed and came back with its identity is reached by the next call', async (t) => {
  const node = await startNode(t)
  const near = await startPeer(t, node.url)
  const stateDir = await temporaryDirectory(t)
  const far = await runPeer(t, node.url, { ISEK_P2P_STATE_DIR: stateDir })
  assert.equal((await near.call(far.p2p_address)).status, 200)

  far.child.kill('SIGKILL')
  await far.exited
  const again = await runPeer(t, node.url, { ISEK_P2P_STATE_DIR: stateDir, ISEK_P2P_LISTEN_PORT: portOf(far) })

  assert.equal(again.p2p_address, far.p2p_address)
  assert.equal((await near.call(far.p2p_address)).status, 200)
})

test('a peer that came back at its address as somebody else is reached under its new name only', async (t) => {
  const node = await startNode(t)
  const near = await startPeer(t, node.url)
  const far = await startPeer(t, node.url)
  assert.equal((await near.call(far.p2p_address)).status, 200)

  await far.stop()
  const successor = await startPeer(t, node.url, { ISEK_P2P_LISTEN_PORT: portOf(far) })

  assert.notEqual(successor.peer_id, far.peer_id)
  assert.equal((await near.call(successor.p2p_address)).status, 200)
  assert.equal((await errorOf(await near.call(far.p2p_address))).code, 'PeerUnreachable')
})

test('a connection that went silent is given up for a new one', async (t) => {
  const { near, far } = await startPair(t, (incoming, outgoing) => {
    if (incoming.url !== '/agents/slow') {
      outgoing.end('ok')
    }
  })
  const network = await startNetwork(t, Number(portOf(far)))
  const address = far.p2p_address.replace(/\/tcp\/\d+\//, `/tcp/${network.port}/`)
  const slow = near.call(address, { path: '/agents/slow' })
  await until('the slow call runs', async () => (await far.metric('isek_p2p_running_calls{direction="inbound"}')) === 1)

  network.forgetConnections()
  const calls = await Promise.all([near.call(address), near.call(address)])

  assert.deepEqual(
    calls.map(({ status }) => status),
    [200, 200]
  )
  const { code, delivered } = await errorOf(await slow)
  assert.deepEqual([code, delivered], ['PeerUnreachable', 'Unknown'], 'what ran over the dead one may have been done: not repeated')
})

/** A network between two peers that can lose its connections without a word, as when a host vanishes. */
async function startNetwork(t: { after(stop: () => void): void }, to: number): Promise<{ port: number; forgetConnections(): void }> {
  const open = new Set<Socket>()
  const server: Server = createServer((inbound) => {
    const outbound = connect(to, '127.0.0.1')
    for (const [socket, other] of [
      [inbound, outbound],
      [outbound, inbound]
    ] as const) {
      open.add(socket)
      socket.on('error', () => other.destroy())
      socket.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    for (const socket of open) {
      socket.destroy()
    }
  })
  return {
    port: (server.address() as { port: number }).port,
    forgetConnections() {
      for (const socket of open) {
        socket.unpipe().pause()
      }
    }
  }
}
