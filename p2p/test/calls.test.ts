import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { test } from 'node:test'
import { type Echo, errorOf, startNode, startPair, startPeer } from './support/mesh.ts'
import { until } from './support/until.ts'

const MIB = 1024 * 1024

test('a call crosses with its path, method, headers and body, and the answer with its own', async (t) => {
  const { near, far } = await startPair(t, (incoming, outgoing) => {
    incoming.resume().on('end', () => {
      outgoing.writeHead(418, { 'isek-load': '3', 'set-cookie': ['a=1', 'b=2'] })
      outgoing.end(`${incoming.method} ${incoming.url} ${incoming.headers.traceparent}`)
    })
  })

  const answer = await near.call(far.p2p_address, {
    path: '/agents/writer?x=1',
    method: 'PUT',
    body: 'hi',
    headers: { traceparent: '00-1' }
  })

  assert.equal(answer.status, 418)
  assert.equal(answer.headers.get('isek-load'), '3')
  assert.deepEqual(answer.headers.getSetCookie(), ['a=1', 'b=2'])
  assert.equal(await answer.text(), 'PUT /agents/writer?x=1 00-1')
})

test('the far node learns from its own sidecar who called, and from nobody else', async (t) => {
  const { near, far } = await startPair(t)
  const forged = { 'isek-peer-id': 'somebody', 'isek-token': 'guessed', connection: 'x-private', 'x-private': '1' }

  const { headers } = (await (await near.call(far.p2p_address, { body: '', headers: forged })).json()) as Echo

  assert.notEqual(near.peer_id, far.peer_id)
  assert.equal(headers['isek-peer-id'], near.peer_id)
  assert.equal(headers['isek-token'], far.token)
  assert.equal(headers.authorization, undefined, 'the token of the local API stays here')
})

test('a node cannot speak in the name of a sidecar', async (t) => {
  const { near, far } = await startPair(t, (_, outgoing) => outgoing.writeHead(403, { 'isek-p2p-error': 'PeerRefused' }).end())

  const answer = await near.call(far.p2p_address)

  assert.equal(answer.status, 403)
  assert.equal(answer.headers.get('isek-p2p-error'), null)
})

test('the first event of an answer arrives before the last is sent', async (t) => {
  let last = () => {}
  const { near, far } = await startPair(t, (_, outgoing) => {
    outgoing.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n')
    last = () => outgoing.end('data: last\n\n')
  })

  const reader = (await near.call(far.p2p_address)).body?.pipeThrough(new TextDecoderStream()).getReader()
  assert.equal((await reader?.read())?.value, 'data: first\n\n')
  last()

  assert.equal((await reader?.read())?.value, 'data: last\n\n')
  assert.equal((await reader?.read())?.done, true)
})

test('the head of an answer arrives before any of its body', async (t) => {
  const { near, far } = await startPair(t, (_, outgoing) => void outgoing.writeHead(200).flushHeaders())

  const answer = await near.call(far.p2p_address, { signal: AbortSignal.timeout(5_000) })

  assert.equal(answer.status, 200)
  await answer.body?.cancel()
})

test('the first part of a request arrives before the last is sent', async (t) => {
  const { near, far } = await startPair(t, (incoming, outgoing) => {
    incoming.once('data', () => outgoing.writeHead(200).write('got it'))
    incoming.once('end', () => outgoing.end())
  })
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const writer = writable.getWriter()

  const answering = near.call(far.p2p_address, { body: readable, duplex: 'half' })
  await writer.write(Buffer.from('first'))
  const answer = await answering
  await writer.close()

  assert.equal(await answer.text(), 'got it')
})

test('a body of 16 MiB crosses, one byte more is refused before anything is dialled', async (t) => {
  const { near, far } = await startPair(t)

  const { bytes } = (await (await near.call(far.p2p_address, { body: Buffer.alloc(16 * MIB) })).json()) as Echo
  const refused = await near.call('/ip4/127.0.0.1/tcp/1/p2p/12D3KooWJvyP3VJYymTqG7eH4PM5rN4T2agk5cdNCfNymAqwqcvZ', {
    body: Buffer.alloc(16 * MIB + 1)
  })

  assert.equal(bytes, 16 * MIB)
  assert.deepEqual((({ status, code, header }) => [status, code, header])(await errorOf(refused)), [413, 'BodyTooLarge', 'BodyTooLarge'])
})

test('how large a body may be is a setting, and the sidecar of the callee looks too', async (t) => {
  const node = await startNode(t)
  const near = await startPeer(t, node.url)
  const far = await startPeer(t, node.url, { ISEK_P2P_MAX_BODY_BYTES: '1024' })

  const fits = await near.call(far.p2p_address, { body: Buffer.alloc(1024) })
  const refused = await near.call(far.p2p_address, { body: Buffer.alloc(1025) })

  assert.equal(fits.status, 200)
  assert.equal((await errorOf(refused)).code, 'BodyTooLarge')
})

test('a body without a length is cut off at the limit', async (t) => {
  let ended = false
  const { near, far } = await startPair(t, (incoming) => {
    incoming.resume().on('end', () => {
      ended = true
    })
  })
  let sent = 0
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += MIB
      controller.enqueue(new Uint8Array(MIB))
      if (sent > 20 * MIB) {
        controller.close()
      }
    }
  })

  const refused = await near.call(far.p2p_address, { body, duplex: 'half' })

  assert.equal((await errorOf(refused)).code, 'BodyTooLarge')
  assert.equal(ended, false, 'the far node never takes the part for the whole')
})

test('an answer of 64 MiB crosses unchanged, as fast as its reader reads', async (t) => {
  const chunk = Buffer.alloc(MIB, 'x')
  let written = 0
  const { near, far } = await startPair(t, async (_, outgoing) => {
    for (let sent = 0; sent < 64; sent += 1) {
      written += MIB
      if (!outgoing.write(chunk)) {
        await once(outgoing, 'drain')
      }
    }
    outgoing.end()
  })

  const reader = (await near.call(far.p2p_address)).body?.getReader()
  await reader?.read()
  let before = -1
  await until('the far node is held back', async () => {
    const still = written === before
    before = written
    return still
  })
  assert.ok(written < 64 * MIB, `the far node wrote ${written} bytes that nobody reads`)

  let bytes = 0
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    bytes += part.value.length
  }
  assert.ok(bytes > 63 * MIB)
})

test('a caller that goes away cancels the call at the far node', async (t) => {
  let started = () => {}
  const running = new Promise<void>((resolve) => {
    started = resolve
  })
  let cancelled = () => {}
  const gone = new Promise<void>((resolve) => {
    cancelled = resolve
  })
  const { near, far } = await startPair(t, (_, outgoing) => {
    outgoing.once('close', () => cancelled())
    started()
  })
  const caller = new AbortController()

  const call = near.call(far.p2p_address, { signal: caller.signal })
  await running
  caller.abort()

  await assert.rejects(call)
  await gone
  await until('both sidecars count it', async () => {
    const counts = await Promise.all([
      near.metric('isek_p2p_calls_total{direction="outbound",outcome="Cancelled",path="none"}'),
      far.metric('isek_p2p_calls_total{direction="inbound",outcome="Cancelled",path="libp2p"}')
    ])
    return counts.every((count) => count === 1)
  })
})

test('a caller that goes away while the far node says who may come leaves no call behind', async (t) => {
  let reached = false
  const { near, far, farNode } = await startPair(t, () => {
    reached = true
  })
  let known = (_: boolean) => {}
  farNode.knows = () =>
    new Promise((resolve) => {
      known = resolve
    })
  const caller = new AbortController()

  const call = near.call(far.p2p_address, { signal: caller.signal })
  await until('the far node is asked', () => farNode.asked.length === 1)
  caller.abort()
  await assert.rejects(call)
  await until('the far sidecar has lost the caller', async () => (await far.metric('isek_p2p_streams')) === 0)
  known(true)

  await until(
    'the call is counted',
    async () => (await far.metric('isek_p2p_calls_total{direction="inbound",outcome="Cancelled",path="libp2p"}')) === 1
  )
  assert.equal(await far.metric('isek_p2p_running_calls{direction="inbound"}'), 0)
  assert.equal(reached, false)
})

test('a call ends at its deadline, at the far node too', async (t) => {
  let cancelled = () => {}
  const gone = new Promise<void>((resolve) => {
    cancelled = resolve
  })
  const { near, far } = await startPair(t, (_, outgoing) => outgoing.once('close', () => cancelled()))

  const begun = performance.now()
  const answer = await errorOf(await near.call(far.p2p_address, { headers: { 'isek-timeout-ms': '2000' } }))

  assert.deepEqual([answer.status, answer.code], [504, 'DeadlineExceeded'])
  assert.ok(performance.now() - begun < 10_000)
  await gone
})

test('the far node is told how much time remains', async (t) => {
  const { near, far } = await startPair(t)

  const { headers } = (await (await near.call(far.p2p_address, { headers: { 'isek-timeout-ms': '60000' } })).json()) as Echo

  const remaining = Number(headers['isek-timeout-ms'])
  assert.ok(remaining > 30_000 && remaining <= 60_000, `${remaining} ms of 60000`)
})

test('an answer that breaks off is not taken for a whole one', async (t) => {
  const { near, far } = await startPair(t, (_, outgoing) => {
    outgoing.writeHead(200).write('half', () => outgoing.destroy())
  })

  const answer = await near.call(far.p2p_address)

  await assert.rejects(answer.text())
})

test('200 calls in a row share one connection and one stream', async (t) => {
  const { near, far } = await startPair(t)

  for (let call = 0; call < 200; call += 1) {
    assert.equal((await near.call(far.p2p_address, { body: 'hi' }).then(async (answer) => (await answer.json()) as Echo)).bytes, 2)
  }

  assert.equal(await near.metric('isek_p2p_connections{direction="outbound"}'), 1)
  assert.equal(await near.metric('isek_p2p_streams'), 1)
})

test('300 calls at once share one connection', async (t) => {
  const { near, far } = await startPair(t)

  const answers = await Promise.all(Array.from({ length: 300 }, () => near.call(far.p2p_address, { body: 'hi' })))

  assert.ok(answers.every((answer) => answer.status === 200))
  assert.equal(await near.metric('isek_p2p_connections{direction="outbound"}'), 1)
  await Promise.all(answers.map((answer) => answer.body?.cancel()))
})

test('two peers call each other at once', async (t) => {
  const { near, far } = await startPair(t)

  const answers = await Promise.all([near.call(far.p2p_address), far.call(near.p2p_address)])

  const callers = await Promise.all(answers.map(async (answer) => ((await answer.json()) as Echo).headers['isek-peer-id']))
  assert.deepEqual(callers, [near.peer_id, far.peer_id])
})

for (const address of [
  'hello',
  '/ip4/127.0.0.1/tcp/9000',
  '/ip4/300.0.0.1/tcp/9000/p2p/12D3KooWJvyP3VJYymTqG7eH4PM5rN4T2agk5cdNCfNymAqwqcvZ',
  '/ip4/127.0.0.1/tcp/9000/p2p/nobody'
]) {
  test(`the address ${address} is refused`, async (t) => {
    const near = await startPeer(t, (await startNode(t)).url)

    const { status, code } = await errorOf(await near.call(address))

    assert.deepEqual([status, code], [400, 'BadAddress'])
  })
}

test('a call to oneself is refused', async (t) => {
  const near = await startPeer(t, (await startNode(t)).url)

  assert.equal((await errorOf(await near.call(near.p2p_address))).code, 'BadAddress')
})

test('a path, a method and a time that cannot be called are refused', async (t) => {
  const { near, far } = await startPair(t)

  const codes = await Promise.all(
    [{ path: '/isek/nodes' }, { method: 'CONNECT' }, { headers: { 'isek-timeout-ms': 'soon' } }].map(
      async (init) => (await errorOf(await near.call(far.p2p_address, init))).code
    )
  )

  assert.deepEqual(codes, ['PathNotAllowed', 'InvalidRequest', 'InvalidRequest'])
})

test('the local API answers only to the token', async (t) => {
  const near = await startPeer(t, (await startNode(t)).url)
  const context = async (headers: Record<string, string>) => await fetch(`${near.api}/p2p_context`, { headers })

  assert.equal((await context({})).status, 401)
  assert.equal((await context({ authorization: `Bearer ${near.token}x` })).status, 401)
  assert.equal((await errorOf(await near.call(near.p2p_address, { headers: { authorization: 'Bearer no' } }))).code, 'Unauthorized')
  assert.deepEqual(await (await context({ authorization: `Bearer ${near.token}` })).json(), {
    peer_id: near.peer_id,
    p2p_address: near.p2p_address,
    p2p_addresses: [near.p2p_address],
    network_keys: []
  })
})

test('a HEAD request crosses', async (t) => {
  const { near, far } = await startPair(t, (_, outgoing) => outgoing.writeHead(200, { 'content-length': 5 }).end())
  const query = new URLSearchParams({ p2p_address: far.p2p_address, method: 'HEAD' })

  const sent = request(`${near.api}/call_peer?${query}`, { method: 'POST', headers: { authorization: `Bearer ${near.token}` } }).end()
  const [answer] = await once(sent, 'response')

  assert.equal(answer.statusCode, 200)
  answer.destroy()
})

test('callers that go away at any moment leave nothing behind', async (t) => {
  const { near, far } = await startPair(t, (incoming, outgoing) => {
    incoming.resume().on('end', () => setTimeout(() => outgoing.end('x'.repeat(100_000)), 5))
  })

  await Promise.allSettled(
    Array.from({ length: 300 }, async (_, call) => {
      const answer = await near.call(far.p2p_address, { body: 'y'.repeat(50_000), signal: AbortSignal.timeout(call % 60) })
      await answer.text()
    })
  )

  for (const [peer, direction] of [
    [near, 'outbound'],
    [far, 'inbound']
  ] as const) {
    await until(`no ${direction} call runs`, async () => (await peer.metric(`isek_p2p_running_calls{direction="${direction}"}`)) === 0)
  }
  assert.equal((await near.call(far.p2p_address, { body: '' })).status, 200)
  assert.ok((await near.metric('isek_p2p_streams')) <= 70, 'streams of cancelled calls are closed')
})
