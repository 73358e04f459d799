/** Floods and slow readers: whoever takes too much is refused, and others are served. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { AbstractMultiaddrConnection } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import type { Uint8ArrayList } from 'uint8arraylist'
import { CALLS_PER_SECOND, createCallLimits, MAX_CALLS, MAX_CALLS_OF_PEER } from '../src/call-limits.ts'
import { HTTP_PROTOCOL, MAX_CONNECTIONS_OF_PEER } from '../src/libp2p.ts'
import { parseNetworkKeys } from '../src/network-keys.ts'
import { createProtector, MAX_PENDING_OF_ADDRESS } from '../src/protector.ts'
import { StreamSocket } from '../src/stream-socket.ts'
import { startHost } from './support/host.ts'
import { startNode, startPair, startPeer, swarmKey } from './support/mesh.ts'
import { until } from './support/until.ts'

async function ask(connection: Connection, path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const socket = new StreamSocket(await connection.newStream(HTTP_PROTOCOL, { maxOutboundStreams: 1_024 }), connection)
  const agent = new Agent()
  agent.createConnection = () => socket
  const sent = request({ agent, path, headers }).on('error', () => {})
  const [answer] = await once(sent.end(), 'response')
  return answer as IncomingMessage
}

test('a peer may begin so many calls within a second, and others as many', () => {
  let now = 0
  const limits = createCallLimits(() => now)
  const begin = (peer: string, times: number) => {
    for (let time = 0; time < times; time++) {
      limits.begin(peer)()
    }
  }

  begin('wild', CALLS_PER_SECOND)
  assert.throws(() => begin('wild', 1), { code: 'TooManyCalls', status: 429, delivered: 'No' })
  begin('calm', CALLS_PER_SECOND)

  now += 500
  begin('wild', CALLS_PER_SECOND / 2)
  assert.throws(() => begin('wild', 1), { code: 'TooManyCalls' })
})

test('so many calls of a peer may run at once, and of all peers', () => {
  const limits = createCallLimits(() => 0)
  const ends = Array.from({ length: MAX_CALLS_OF_PEER }, () => limits.begin('wild'))

  assert.throws(() => limits.begin('wild'), { code: 'TooManyCalls' })
  ends[0]?.()
  limits.begin('wild')

  for (let number = MAX_CALLS_OF_PEER; number < MAX_CALLS; number++) {
    limits.begin(`calm-${number}`)
  }
  assert.throws(() => limits.begin('one more'), { code: 'TooManyCalls' })
})

test('peers that are gone are not remembered for ever', () => {
  let now = 0
  const limits = createCallLimits(() => now)

  const before = process.memoryUsage().heapUsed
  for (let peer = 0; peer < 200_000; peer++) {
    now += 1
    limits.begin(`peer-${peer}`)()
  }

  assert.ok(process.memoryUsage().heapUsed - before < 64 * 1024 * 1024)
})

test('who has too many calls running is told when to come again, and others are served', async (t) => {
  const held: ServerResponse[] = []
  const node = await startNode(t, (incoming, outgoing) => {
    incoming.resume()
    if (incoming.url === '/') {
      outgoing.end()
    } else {
      held.push(outgoing)
    }
  })
  const far = await startPeer(t, node.url)
  const near = await startPeer(t, node.url)
  const wild = await startHost(t)
  const connections = [await wild.dial(multiaddr(far.p2p_address)), await wild.dial(multiaddr(far.p2p_address), { force: true })] as const

  const running: Array<ReturnType<typeof ask>> = []
  while (running.length < MAX_CALLS_OF_PEER) {
    const begun = Math.min(running.length + 64, MAX_CALLS_OF_PEER) // a stream has to be agreed on in time
    while (running.length < begun) {
      running.push(ask(connections[running.length % 2 === 0 ? 0 : 1], '/agents/slow'))
    }
    await until('they run', () => held.length === begun, 30_000)
  }
  const refused = await ask(connections[0], '/agents/slow')
  const served = await near.call(far.p2p_address)
  for (const outgoing of held) {
    outgoing.end()
  }

  assert.deepEqual([refused.statusCode, refused.headers['isek-p2p-error'], refused.headers['retry-after']], [429, 'TooManyCalls', '1'])
  assert.equal(served.status, 200)
  assert.ok((await Promise.all(running)).every(({ statusCode }) => statusCode === 200))
})

test('one peer that dials again and again holds a few connections, and others are served', async (t) => {
  const far = await startPeer(t, (await startNode(t)).url)
  const near = await startPeer(t, (await startNode(t)).url)
  const wild = await startHost(t)

  const dialled = await Promise.allSettled(
    Array.from({ length: 5 * MAX_CONNECTIONS_OF_PEER }, () => wild.dial(multiaddr(far.p2p_address), { force: true }))
  )
  for (let number = 0; number < 3 * MAX_CONNECTIONS_OF_PEER; number++) {
    dialled.push(...(await Promise.allSettled([wild.dial(multiaddr(far.p2p_address), { force: true })])))
  }

  await until(
    'a few are left',
    async () => (await far.metric('isek_p2p_connections{direction="inbound"}')) <= MAX_CONNECTIONS_OF_PEER,
    30_000
  )
  assert.ok((await far.metric('isek_p2p_refused_connections_total{reason="TooManyOfPeer"}')) > 0)
  assert.equal((await near.call(far.p2p_address)).status, 200)
})

/** A connection of which nothing ever comes. */
class Silent extends AbstractMultiaddrConnection {
  constructor(host: string) {
    const log = defaultLogger().forComponent('silent')
    super({ remoteAddr: multiaddr(`/ip4/${host}/tcp/1`), direction: 'inbound', log })
  }

  sendData(data: Uint8ArrayList): { sentBytes: number; canSendMore: boolean } {
    return { sentBytes: data.byteLength, canSendMore: true }
  }

  async sendClose(): Promise<void> {}
  sendReset(): void {}
  sendPause(): void {}
  sendResume(): void {}
}

test('an address that opens connections and keeps silent does not keep out another', async () => {
  const refused: string[] = []
  const accepted = parseNetworkKeys(swarmKey())
  const keys = { accepted, onChange: () => {}, stop: () => {} }
  const { protect } = createProtector({ keys, opened: () => {}, refused: (reason) => refused.push(reason), handshakeMs: 500 })()
  const outcome = (host: string) => protect(new Silent(host)).catch((error: Error) => error.name)

  const silent = Array.from({ length: MAX_PENDING_OF_ADDRESS + 50 }, () => outcome('10.0.0.1'))
  const other = outcome('10.0.0.2')

  assert.deepEqual(refused, Array(50).fill('TooManyPending'))
  assert.equal((await Promise.all(silent)).filter((name) => name === 'Error').length, 50)
  assert.equal(await other, 'TimeoutError')
  const again = outcome('10.0.0.1')
  assert.equal(refused.length, 50)
  await again
})

test('while others never read what they asked for, a call is served', async (t) => {
  const chunk = Buffer.alloc(64 * 1024)
  const node = await startNode(t, (incoming, outgoing) => {
    incoming.resume()
    if (incoming.url === '/') {
      outgoing.end('soon')
      return
    }
    const write = () => {
      while (outgoing.write(chunk)) {}
    }
    outgoing.on('drain', write).on('error', () => {})
    write()
  })
  const far = await startPeer(t, node.url)
  const near = await startPeer(t, node.url)
  const wild = await startHost(t)
  const connection = await wild.dial(multiaddr(far.p2p_address))

  const answers = await Promise.all(Array.from({ length: 30 }, () => ask(connection, '/agents/endless')))
  const answer = await near.call(far.p2p_address)

  assert.ok(answers.every(({ statusCode }) => statusCode === 200))
  assert.equal(await answer.text(), 'soon')
  for (const endless of answers) {
    endless.on('error', () => {})
  }
  connection.abort(new Error('the test has ended')) // else the sidecar waits for its calls
})

test('a head that is too large ends its stream, and no other', async (t) => {
  const far = await startPeer(t, (await startNode(t)).url)
  const wild = await startHost(t)
  const connection = await wild.dial(multiaddr(far.p2p_address))

  const [answer] = await Promise.allSettled([ask(connection, '/', { large: 'x'.repeat(20_000) })])

  // the end of the stream may overtake the answer
  assert.ok(answer.status === 'rejected' || answer.value.statusCode === 431)
  assert.equal((await ask(connection, '/')).statusCode, 200)
})

test('a burst of calls to a peer that was never called before is answered', async (t) => {
  const { near, far } = await startPair(t)

  const answers = await Promise.all(Array.from({ length: 200 }, () => near.call(far.p2p_address)))

  assert.ok(answers.every(({ status }) => status === 200))
  assert.equal(await near.metric('isek_p2p_connections{direction="outbound"}'), 1)
})
