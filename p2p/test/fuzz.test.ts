/** Parsers under random input: they read it or refuse it, in time and in bounded memory. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import fc from 'fast-check'
import { SidecarError, StartError } from '../src/errors.ts'
import { endToEnd, timeoutOf } from '../src/headers.ts'
import { HTTP_PROTOCOL } from '../src/libp2p.ts'
import { checkPath } from '../src/paths.ts'
import { parsePeerAddresses } from '../src/peer-address.ts'
import { readSettings } from '../src/settings.ts'
import { startHost } from './support/host.ts'
import { startNode, startPeer } from './support/mesh.ts'
import { until } from './support/until.ts'

const anything = fc.oneof(fc.string({ unit: 'binary', maxLength: 400 }), fc.string({ maxLength: 400 }))

function refusesOrReads(read: () => unknown, refusal: typeof SidecarError | typeof StartError): void {
  const begun = performance.now()
  try {
    read()
  } catch (error) {
    assert.ok(error instanceof refusal, String(error))
    assert.ok(error.message.length < 1_500)
  }
  assert.ok(performance.now() - begun < 10_000)
}

test('a path is refused, or is one of those that may be called', () => {
  const piece = fc.oneof(anything, fc.constantFrom('/', '..', '%2e', '%2F', 'agents', 'v1', '//', '?', '#', '\\\\', 'mcp'))
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const path = pieces.join('')
      refusesOrReads(() => {
        checkPath(path)
        const { pathname } = new URL(path, 'http://node')
        assert.match(pathname, /^\/(?:$|agents\/|v1\/|mcp\/?$|\.well-known\/)/)
      }, SidecarError)
    }),
    { numRuns: 2_000 }
  )
})

test('an address is read as one of a peer, or is refused', () => {
  const id = '12D3KooWJvyP3VJYymTqG7eH4PM5rN4T2agk5cdNCfNymAqwqcvZ'
  const piece = fc.oneof(
    fc.string({ maxLength: 30 }),
    fc.constantFrom('/ip4/10.0.0.7', '/ip6/::1', '/dns4/a.b', '/tcp/9000', '/tcp/99999999', '/ws', '/p2p-circuit', `/p2p/${id}`, '/p2p/x')
  )
  const address = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''))
  fc.assert(
    fc.property(fc.array(address, { maxLength: 20 }), (addresses) => {
      refusesOrReads(() => assert.equal(parsePeerAddresses(addresses).peerId, id), SidecarError)
    }),
    { numRuns: 2_000 }
  )
})

test('of headers no name passes that only a sidecar may say', () => {
  const name = fc.oneof(
    fc.constantFrom('connection', 'isek-peer-id', 'isek-token', 'isek-p2p-error', 'isek-path', 'te', 'upgrade', 'constructor', '__proto__'),
    fc.string({ maxLength: 40 }).map((text) => text.toLowerCase())
  )
  fc.assert(
    fc.property(fc.dictionary(name, fc.array(anything, { minLength: 1, maxLength: 3 }), { noNullPrototype: false }), (headers) => {
      const kept = endToEnd(headers)
      for (const own of ['isek-peer-id', 'isek-token', 'isek-p2p-error', 'isek-path', 'connection', 'upgrade', 'te']) {
        assert.ok(!Object.hasOwn(kept, own))
      }
    }),
    { numRuns: 2_000 }
  )
})

test('a deadline is read as milliseconds that a timer can hold, or is refused', () => {
  fc.assert(
    fc.property(fc.oneof(anything, fc.nat().map(String)), (text) => {
      refusesOrReads(() => {
        const timeout = timeoutOf({ 'isek-timeout-ms': text })
        assert.ok(Number.isSafeInteger(timeout) && timeout > 0 && timeout < 2 ** 31)
      }, SidecarError)
    }),
    { numRuns: 2_000 }
  )
})

test('settings are read, or named with what to do', () => {
  const name = fc.constantFrom(
    'ISEK_P2P_LISTEN_HOST',
    'ISEK_P2P_LISTEN_PORT',
    'ISEK_P2P_ANNOUNCE_HOST',
    'ISEK_P2P_API_PORT',
    'ISEK_P2P_HEALTH_HOST',
    'ISEK_P2P_NODE_URL',
    'ISEK_LOG_FORMAT',
    'ISEK_LOG_LEVEL'
  )
  fc.assert(
    fc.property(fc.dictionary(name, anything), (environment) => refusesOrReads(() => readSettings(environment), StartError)),
    { numRuns: 2_000 }
  )
})

test('whatever a peer sends on its streams, cut wherever, the sidecar goes on and holds nothing of it', { timeout: 120_000 }, async (t) => {
  const far = await startPeer(t, (await startNode(t)).url)
  const libp2p = await startHost(t)
  const connection = await libp2p.dial(multiaddr(far.p2p_address))
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .constantFrom(
        'GET / HTTP/1.1\r\n',
        'POST /agents/a HTTP/1.1\r\n',
        'Host: a\r\n',
        'Content-Length: 5\r\n',
        'Content-Length: 99999999999999999999\r\n',
        'Transfer-Encoding: chunked\r\n',
        'Expect: 100-continue\r\n',
        'Upgrade: h2c\r\n',
        '\r\n',
        '5\r\nhello\r\n',
        'ffffffff\r\n',
        '0\r\n\r\n',
        'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
      )
      .map((text) => Buffer.from(text))
  )

  await fc.assert(
    fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 10 }), fc.boolean(), async (pieces, politely) => {
      const stream = await connection.newStream(HTTP_PROTOCOL)
      stream.addEventListener('message', () => {})
      for (const bytes of pieces) {
        if (bytes.length > 0 && stream.writeStatus === 'writable') {
          stream.send(bytes)
        }
      }
      const closed = once(stream, 'close')
      if (politely && stream.status === 'open') {
        await stream.close().catch(() => {})
      }
      stream.abort(new Error('cut'))
      await closed.catch(() => {})
    }),
    { numRuns: 300 }
  )

  await until('no call is left', async () => (await far.metric('isek_p2p_running_calls{direction="inbound"}')) === 0)
  await until('no stream is left', async () => (await far.metric('isek_p2p_streams')) < 10, 10_000)
})
