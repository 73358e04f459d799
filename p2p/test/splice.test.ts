import assert from 'node:assert/strict'
import { connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { Libp2p, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { MAX_STREAM_WINDOW_BYTES } from '../src/libp2p.ts'
import { createAllowance, splice } from '../src/splice.ts'
import { startHost } from './support/host.ts'
import { until } from './support/until.ts'

const PROTOCOL = '/test/splice'

/** One end of a splice: the stream of a host, and what it is spliced at. */
interface End {
  stream: Stream
  spliced: Stream
  host: Libp2p
  /** How many bytes came, and how it ended. */
  received: { bytes: number; ended: boolean; broken: boolean }
}

/** A host with a stream to the one in the middle. */
async function startEnd(t: TestContext, middle: Libp2p, address: string): Promise<End> {
  const arriving = new Promise<Stream>((resolve) => {
    void middle.handle(PROTOCOL, resolve, { force: true })
  })
  const host = await startHost(t)
  const stream = await (await host.dial(multiaddr(address))).newStream(PROTOCOL)
  const received = { bytes: 0, ended: false, broken: false }
  stream.addEventListener('message', ({ data }) => {
    received.bytes += data.byteLength
  })
  stream.addEventListener('remoteCloseWrite', () => {
    received.ended = true
  })
  stream.addEventListener('close', ({ error }) => {
    received.broken = error !== undefined || !received.ended
  })
  return { stream, spliced: await arriving, host, received }
}

interface Spliced {
  near: End
  far: End
  over: Promise<void>
  /** Bytes, in both directions. */
  carried: () => number
  /** Ends the TCP connection of the near host as the kernel does for a process that is killed. */
  kill(): void
}

/** Streams of two hosts, spliced by a third one. */
async function startSpliced(t: TestContext): Promise<Spliced> {
  const middle = await startHost(t)
  const address = middle.getMultiaddrs()[0]?.toString() ?? ''
  const proxy = await startProxy(t, Number(/\/tcp\/(\d+)/.exec(address)?.[1]))
  const near = await startEnd(t, middle, address.replace(/\/tcp\/\d+/, `/tcp/${proxy.port}`))
  const far = await startEnd(t, middle, address)
  const free = () => createAllowance(1024 ** 3)
  let carried = 0
  const over = splice(near.spliced, far.spliced, {
    allowances: [free(), free()],
    carried: (bytes) => {
      carried += bytes
    },
    signal: new AbortController().signal
  })
  return { near, far, over, carried: () => carried, kill: proxy.end }
}

async function startProxy(t: TestContext, port: number): Promise<{ port: number; end(): void }> {
  const onward: Socket[] = []
  const server = createServer((socket) => {
    const to = connect(port, '127.0.0.1')
    onward.push(to)
    for (const each of [socket, to]) {
      each.on('error', () => {})
    }
    socket.pipe(to).pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const end = () => {
    for (const socket of onward) {
      socket.end()
    }
  }
  t.after(() => {
    end()
    server.close()
  })
  return { port: (server.address() as { port: number }).port, end }
}

/** Sends to a reader that is paused, until what the middle has read does not fit there any more; the bytes that were sent. */
async function sendTooMuch({ near, far, carried }: Spliced): Promise<number> {
  far.stream.pause()
  let sent = 0
  while (near.spliced.readBufferLength < 100_000) {
    near.stream.send(new Uint8Array(50_000))
    sent += 50_000
    await until('the middle has it', () => carried() + near.spliced.readBufferLength === sent)
  }
  return sent
}

async function end({ near }: Spliced): Promise<void> {
  await near.stream.close()
  await until('the middle knows', () => near.spliced.remoteWriteStatus === 'closed')
}

test('what was sent arrives whole at a slow reader, when the sender ends first', async (t) => {
  const spliced = await startSpliced(t)
  const { near, far, over } = spliced
  const sent = await sendTooMuch(spliced)
  await end(spliced)

  far.stream.resume()

  await until('all has come', () => far.received.ended)
  assert.equal(far.received.bytes, sent)
  await far.stream.close()
  await over
  assert.deepEqual([near.received.broken, far.received.broken], [false, false])
})

test('what was sent arrives whole at a slow reader that had ended before', async (t) => {
  const spliced = await startSpliced(t)
  const { near, far, over } = spliced
  await far.stream.close()
  await until('the near one knows', () => near.received.ended)
  const sent = await sendTooMuch(spliced)
  await end(spliced)
  assert.equal(near.spliced.status, 'closed')

  far.stream.resume()

  await until('all has come', () => far.received.ended)
  assert.equal(far.received.bytes, sent)
  await over
  assert.deepEqual([near.received.broken, far.received.broken], [false, false])
})

test('what was sent arrives whole at a slow reader, though the sender is gone with its connection', async (t) => {
  const spliced = await startSpliced(t)
  const { near, far, over } = spliced
  const sent = await sendTooMuch(spliced)
  await end(spliced)
  await near.host.stop()
  await until('the sender is gone', () => near.spliced.status === 'closed')

  far.stream.resume()

  await until('all has come', () => far.received.ended)
  assert.equal(far.received.bytes, sent)
  await far.stream.close()
  await over
})

test('who is answered by one that is gone hears of it, though that one had ended in order', async (t) => {
  const spliced = await startSpliced(t)
  const { near, far, over } = spliced
  await near.stream.close()
  await until('the far one knows', () => far.received.ended)

  spliced.kill()

  await until('the far one is told', () => far.received.broken)
  await over
})

test('a reader that stops again and again holds its sender back each time', async (t) => {
  const { near, far, over } = await startSpliced(t)
  const all = 5_000_000
  Object.assign(far.stream, { recvWindow: 256 * 1024, maxStreamWindowSize: 256 * 1024 }) // that of the sender may grow beyond it
  far.stream.addEventListener('message', () => queueMicrotask(() => far.stream.readStatus === 'readable' && far.stream.pause()))
  let waited = 0
  const reading = setInterval(() => {
    waited = Math.max(waited, near.spliced.readBufferLength + far.spliced.writeBufferLength)
    if (far.stream.readStatus === 'paused') {
      far.stream.resume()
    }
  }, 50)
  t.after(() => clearInterval(reading))

  for (let sent = 0; sent < all; sent += 50_000) {
    near.stream.send(new Uint8Array(50_000))
    await near.stream.onDrain()
  }
  await near.stream.close()

  await until('all has come', () => far.received.ended && far.received.bytes === all, 30_000)
  assert.ok(waited <= 2 * MAX_STREAM_WINDOW_BYTES, `${waited} bytes waited in the middle`)
  await far.stream.close()
  await over
})

test('one side may send on after the other has ended', async (t) => {
  const { near, far, over } = await startSpliced(t)
  await near.stream.close()
  await until('the far one knows', () => far.received.ended)

  far.stream.send(new Uint8Array(3_000_000))
  await far.stream.close()

  await until('all has come', () => near.received.ended)
  assert.equal(near.received.bytes, 3_000_000)
  await over
  assert.deepEqual([near.received.broken, far.received.broken], [false, false])
})

for (const [how, go] of [
  ['resets it', ({ far }: Spliced) => far.stream.abort(new Error('enough'))],
  ['is gone', ({ far }: Spliced) => far.host.stop()]
] as const) {
  test(`it is over when the reader ${how} before it has read all that came before the end of both`, async (t) => {
    const spliced = await startSpliced(t)
    await spliced.far.stream.close()
    await until('the near one knows', () => spliced.near.received.ended)
    await sendTooMuch(spliced)
    await end(spliced)

    await go(spliced)

    await spliced.over
  })
}

for (const [how, breakOff] of [
  ['is reset', ({ near }: Spliced) => near.stream.abort(new Error('broken off'))],
  ['is gone with its connection', ({ kill }: Spliced) => kill()]
] as const) {
  test(`a stream that ${how} is no end at the other side`, async (t) => {
    const spliced = await startSpliced(t)
    const { near, far, over } = spliced
    near.stream.send(new Uint8Array(1_000))
    await until('some has come', () => far.received.bytes === 1_000)

    breakOff(spliced)

    await until('the far one is told', () => far.stream.status !== 'open')
    assert.deepEqual(far.received, { bytes: 1_000, ended: false, broken: true })
    await over
  })

  test(`a stream that ${how} while its reader is slow is no end at the other side`, async (t) => {
    const spliced = await startSpliced(t)
    const { far, over } = spliced
    await sendTooMuch(spliced)

    breakOff(spliced)

    await until('the far one is told', () => far.stream.status !== 'open')
    assert.deepEqual([far.received.ended, far.received.broken], [false, true])
    await over
  })
}
