/** A peer that speaks libp2p by itself, past the checks of a sidecar of its own. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { HTTP_PROTOCOL } from '../src/libp2p.ts'
import { StreamSocket } from '../src/stream-socket.ts'
import { startHost } from './support/host.ts'
import { type Echo, type Peer, startNode, startPair, startPeer } from './support/mesh.ts'

async function startStranger(t: TestContext, far: Peer): Promise<{ peerId: string; openStream(): Promise<StreamSocket> }> {
  const host = await startHost(t)
  return {
    peerId: host.peerId.toString(),
    async openStream() {
      const connection = await host.dial(multiaddr(far.p2p_address))
      return new StreamSocket(await connection.newStream(HTTP_PROTOCOL), connection)
    }
  }
}

async function send(socket: StreamSocket, path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const agent = new Agent()
  agent.createConnection = () => socket
  const [answer] = await once(request({ agent, path, headers }).end(), 'response')
  return answer as IncomingMessage
}

for (const path of ['/isek/nodes', '/agents/../isek/nodes', '/agents/%2e%2e/isek/nodes', 'http://node/isek/nodes', '//isek/nodes']) {
  test(`the far side refuses the path ${path} by itself`, async (t) => {
    const reached: string[] = []
    const node = await startNode(t, (incoming, outgoing) => {
      reached.push(incoming.url ?? '')
      outgoing.end()
    })
    const far = await startPeer(t, node.url)
    const stranger = await startStranger(t, far)

    const answer = await send(await stranger.openStream(), path)

    assert.equal(answer.headers['isek-p2p-error'], 'PathNotAllowed')
    assert.deepEqual(reached, [])
    answer.destroy()
  })
}

test('a forged name and token do not get past the far side', async (t) => {
  const far = await startPeer(t, (await startNode(t)).url)
  const stranger = await startStranger(t, far)

  const answer = await send(await stranger.openStream(), '/', { 'Isek-Peer-Id': far.peer_id, 'Isek-Token': 'guessed' })
  const [body] = await once(answer, 'data')

  const { headers } = JSON.parse(String(body)) as Echo
  assert.equal(headers['isek-peer-id'], stranger.peerId)
  assert.equal(headers['isek-token'], far.token)
})

test('what is no HTTP ends the stream, not the sidecar', async (t) => {
  const far = await startPeer(t, (await startNode(t)).url)
  const stranger = await startStranger(t, far)
  const socket = (await stranger.openStream()).on('error', () => {}).resume()

  socket.write(randomBytes(1_000))
  await new Promise((resolve) => socket.once('close', resolve))

  assert.equal((await send(await stranger.openStream(), '/')).statusCode, 200)
})

test('noise on the libp2p port harms nobody', async (t) => {
  const { near, far } = await startPair(t)
  const port = Number(/\/tcp\/(\d+)\//.exec(far.p2p_address)?.[1])

  const sockets = Array.from({ length: 50 }, (_, size) => {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    socket.write(randomBytes(1 + size * 40))
    return socket
  })
  const answer = await near.call(far.p2p_address)
  for (const socket of sockets) {
    socket.resetAndDestroy()
  }

  assert.equal(answer.status, 200)
  assert.equal((await near.call(far.p2p_address)).status, 200)
})
