import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Libp2p, Stream } from '@libp2p/interface'
import { preSharedKey } from '@libp2p/pnet'
import { tcp } from '@libp2p/tcp'
import { pbStream } from '@libp2p/utils'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { createPeerAllowances } from '../src/allowances.ts'
import { HOP_PROTOCOL, HopType, hop, type Message, STOP_PROTOCOL, Status, StopType, stop } from '../src/circuit-messages.ts'
import { hostOptions } from '../src/libp2p.ts'
import { createRelayReservations } from '../src/relay-reservations.ts'
import { createAllowance } from '../src/splice.ts'
import { privateNetworkKey, swarmKey } from './support/mesh.ts'
import { run } from './support/process.ts'
import { relayEnvironment, runRelay, startRelay } from './support/relays.ts'
import { until } from './support/until.ts'

const ECHO = '/test/echo'

/** A libp2p host with libp2p's own client of relays, which listens at the relay where it is given one. */
async function startHost(t: TestContext, { relay, keyFile }: { relay?: string; keyFile?: string } = {}): Promise<Libp2p> {
  const host = await createLibp2p({
    ...hostOptions(
      {
        privateKey: await generateKeyPair('Ed25519'),
        protector: keyFile === undefined ? undefined : preSharedKey({ psk: await readFile(keyFile) }),
        refuseConnections: () => false,
        refused: () => {}
      },
      () => 0
    ),
    addresses: { listen: relay === undefined ? [] : [`${relay}/p2p-circuit`] },
    transports: [tcp(), webSockets(), circuitRelayTransport()],
    services: { identify: identify() }
  })
  await host.handle(ECHO, (stream) => stream.addEventListener('message', ({ data }) => stream.send(data)), { runOnLimitedConnection: true })
  await host.start()
  t.after(() => host.stop())
  return host
}

async function open(from: Libp2p, relay: string, to: Libp2p): Promise<Stream> {
  const connection = await from.dial(multiaddr(`${relay}/p2p-circuit/p2p/${to.peerId}`))
  return await connection.newStream(ECHO, { runOnLimitedConnection: true })
}

/** What a host gets for a message to a relay, by hand. */
async function ask(host: Libp2p, relay: string, message: Message): Promise<{ status: number | undefined; stream: Stream }> {
  const connection = await host.dial(multiaddr(relay))
  const messages = pbStream(await connection.newStream(HOP_PROTOCOL))
  await messages.write(message, hop)
  const { status } = await messages.read(hop)
  return { status, stream: messages.unwrap() }
}

async function echoed(stream: Stream, bytes: number): Promise<number> {
  let received = 0
  stream.addEventListener('message', ({ data }) => {
    received += data.byteLength
  })
  if (!stream.send(new Uint8Array(bytes))) {
    await stream.onDrain()
  }
  await until('all came back', () => received >= bytes, 20_000)
  return received
}

test('two hosts that only dial reach each other through a relay, over TCP and over WebSockets', async (t) => {
  const keyFile = await privateNetworkKey(t)
  const relay = await startRelay(t, { ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: keyFile })
  const far = await startHost(t, { relay: relay.address, keyFile })
  const near = await startHost(t, { keyFile })

  for (const address of [relay.address, relay.webSocketAddress]) {
    assert.equal(await echoed(await open(near, address, far), 300_000), 300_000)
    await near.hangUp(far.peerId)
  }

  assert.equal(await relay.metric('isek_p2p_relay_reservations'), 1)
  assert.ok((await relay.metric('isek_p2p_relay_bytes_total')) > 4 * 300_000)
  assert.equal(await relay.metric('isek_p2p_relay_requests_total{kind="Connect",outcome="Ok"}'), 2)
})

test('more than two minutes and 128 KiB, at which libp2p cuts relayed connections, may be carried', async (t) => {
  const relay = await startRelay(t)
  const far = await startHost(t, { relay: relay.address })
  const near = await startHost(t)
  const stream = await open(near, relay.address, far)

  assert.equal(await echoed(stream, 4_000_000), 4_000_000)
  assert.equal(near.getConnections(far.peerId)[0]?.limits?.bytes, undefined)
  assert.ok((near.getConnections(far.peerId)[0]?.limits?.seconds ?? 0) > 23 * 3600)
})

test('a relayed connection is encrypted from end to end, and the private network key holds for it too', async (t) => {
  const keyFile = await privateNetworkKey(t)
  const relay = await startRelay(t, { ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: keyFile })
  const far = await startHost(t, { relay: relay.address, keyFile })
  const near = await startHost(t, { keyFile })
  await open(near, relay.address, far)

  assert.equal(near.getConnections(far.peerId)[0]?.encryption, '/noise')
  const stranger = await startHost(t, { keyFile: await privateNetworkKey(t) })
  await assert.rejects(open(stranger, relay.address, far))
  assert.equal(await relay.metric('isek_p2p_connections{direction="inbound"}'), 2)
})

test('who is connected by a key that was taken away can use the relay no more', async (t) => {
  const [former, latest] = [swarmKey(), swarmKey()]
  const keyFile = await privateNetworkKey(t, former)
  const relay = await startRelay(t, { ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: keyFile })
  const [far, near] = [await startHost(t, { relay: relay.address, keyFile }), await startHost(t, { keyFile })]
  const connect = { type: HopType.Connect, peer: far.peerId.toMultihash().bytes }
  assert.equal((await ask(near, relay.address, connect)).status, Status.Ok)

  await writeFile(keyFile, latest)

  await until('the relay refuses', async () => (await ask(near, relay.address, connect)).status === Status.PermissionDenied, 20_000)
  assert.equal((await ask(near, relay.address, { type: HopType.Reserve })).status, Status.PermissionDenied)
})

test('a connection by a key that was taken away is closed once nothing is relayed over it', async (t) => {
  const [former, latest] = [swarmKey(), swarmKey()]
  const formerFile = await privateNetworkKey(t, former)
  const keyFile = await privateNetworkKey(t, former, latest)
  const relay = await startRelay(t, { ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: keyFile })
  const outdated = await startHost(t, { relay: relay.address, keyFile: formerFile })
  const current = await startHost(t, { relay: relay.address, keyFile: await privateNetworkKey(t, latest) })
  assert.equal(await relay.metric('isek_p2p_relay_reservations'), 2)

  await writeFile(keyFile, latest)

  await until('it is closed', () => outdated.getConnections().length === 0, 20_000)
  assert.equal(current.getConnections().length, 1)
  assert.equal(await relay.metric('isek_p2p_relay_reservations'), 1)
})

test('a peer without a reservation cannot be called, and one that is gone has none any more', async (t) => {
  const relay = await startRelay(t)
  const near = await startHost(t)
  const far = await startHost(t, { relay: relay.address })
  await assert.rejects(open(far, relay.address, near), /NO_RESERVATION/)

  await far.stop()

  await until('the reservation is gone', async () => (await relay.metric('isek_p2p_relay_reservations')) === 0)
  assert.equal(await relay.metric('isek_p2p_relay_requests_total{kind="Connect",outcome="NoReservation"}'), 1)
})

test('nothing piles up in the relay where one side sends what the other does not read', async (t) => {
  const relay = await runRelay(t)
  const near = await startHost(t)
  const far = await startHost(t)
  const unread: Stream[] = []
  await far.handle(
    STOP_PROTOCOL,
    async (stream) => {
      const messages = pbStream(stream)
      await messages.read(stop)
      await messages.write({ type: StopType.Status, status: Status.Ok }, stop)
      unread.push(messages.unwrap())
      stream.pause()
    },
    { force: true }
  )
  await ask(far, relay.address, { type: HopType.Reserve })
  const { status, stream } = await ask(near, relay.address, { type: HopType.Connect, peer: far.peerId.toMultihash().bytes })
  const before = await relay.metric('process_resident_memory_bytes')

  let sent = 0
  const chunk = new Uint8Array(256 * 1024)
  for (; sent < 256 && stream.send(chunk); sent++) {
    await new Promise((resolve) => setImmediate(resolve))
  }

  assert.equal(status, Status.Ok)
  assert.ok(sent < 64, `the sender was not held back within ${sent / 4} MiB`)
  assert.ok((await relay.metric('process_resident_memory_bytes')) - before < 32 * 1024 * 1024)
  assert.equal(await relay.metric('isek_p2p_relay_circuits'), 1)
})

test('what is no message of the protocol ends its stream and harms nobody', async (t) => {
  const relay = await startRelay(t)
  const near = await startHost(t)
  const connection = await near.dial(multiaddr(relay.address))

  for (const bytes of [[0], [3, 0x1a, 0xff, 0xff], [255, 255, 255, 255, 15], [2, 8, 2], [2, 8, 9], [4, 0x12, 2, 0x0a, 0]]) {
    const stream = await connection.newStream(HOP_PROTOCOL)
    stream.send(Uint8Array.from(bytes))
    await until('the stream is closed', () => stream.remoteWriteStatus === 'closed')
  }

  await startHost(t, { relay: relay.address })
  assert.equal(await relay.metric('isek_p2p_relay_reservations'), 1)
})

test('a sender may take what comes in one second at once, and waits for all above', () => {
  let now = 0
  const allowance = createAllowance(1_000, () => now)

  assert.equal(allowance.take(1_000), 0)
  assert.equal(allowance.take(500), 500)
  now = 500
  assert.equal(allowance.take(0), 0)
  now = 60_000
  assert.equal(allowance.take(1_001), 1)
})

test('a peer has one allowance over all its connections, and none the more for coming again', () => {
  const now = 0
  const allowances = createPeerAllowances(1_000, () => now)
  const [one, other] = [allowances.use('near'), allowances.use('near')]

  assert.equal(one.allowance.take(1_000), 0)
  assert.equal(other.allowance.take(500), 500)
  assert.equal(allowances.use('far').allowance.take(1_000), 0)
  one.release()
  other.release()
  assert.equal(allowances.use('near').allowance.take(0), 500)
})

test('a peer that has sent nothing for a while is not remembered', () => {
  let now = 0
  const allowances = createPeerAllowances(1_000, () => now)
  const { allowance, release } = allowances.use('near')
  allowance.take(1_500)
  release()

  now = 1_000
  allowances.use('far')
  assert.equal(allowances.size, 2)
  now = 1_500
  allowances.use('far')
  assert.equal(allowances.size, 1)
})

test('a reservation that has expired takes no room, though its connection is open', async (t) => {
  const hosts = [await startHost(t), await startHost(t)] as const
  const relay = await startRelay(t)
  const [first, second] = [await hosts[0].dial(multiaddr(relay.address)), await hosts[1].dial(multiaddr(relay.address))]
  let now = 0
  const reservations = createRelayReservations(1, 3_600, () => now)
  assert.equal(reservations.keep(first), 3_600_000)
  now = 3_600_001

  assert.equal(reservations.of(first.remotePeer.toString()), undefined)
  assert.equal(reservations.keep(second), 7_200_001)
  assert.equal(reservations.size, 1)
})

test('a relay is known by the identity that it is given, and tells what it is told to announce', async (t) => {
  const announced = '/dns4/relay.example.com/tcp/443/wss'
  const relay = await runRelay(t, { ISEK_P2P_ANNOUNCE: announced })
  const far = await startHost(t, { relay: relay.address })
  await until('the announced address is used', () => far.getMultiaddrs().some((address) => address.toString().startsWith(announced)))

  await relay.stop()
  const { code, stderr } = await relay.exited
  assert.equal(code, 0, stderr)

  const again = await runRelay(t, relay.env)
  assert.equal(again.address, relay.address)
  assert.ok(!stderr.includes((await readFile(relay.env.ISEK_P2P_IDENTITY_FILE ?? '')).toString('hex')))
})

test('a relay without an identity says what is missing', async (t) => {
  const { ISEK_P2P_IDENTITY_FILE: _, ...env } = await relayEnvironment(t)

  const { code, stderr } = await run(t, env, ['relay']).exited

  assert.equal(code, 1)
  assert.match(stderr, /^isek-p2p: ISEK_P2P_IDENTITY_FILE is not set; name a file with a libp2p private key.*\n$/)
})
