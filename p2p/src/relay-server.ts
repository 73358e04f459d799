/** The relay's side of circuit relay v2: keeps reservations, and connects who asks with who reserved. */

import type { Connection, Libp2pEvents, PeerId, Startable, Stream, TypedEventTarget } from '@libp2p/interface'
import type { AddressManager, Registrar, TransportManager } from '@libp2p/interface-internal'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { type ProtobufStream, pbStream } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import * as Digest from 'multiformats/hashes/digest'
import { createPeerAllowances } from './allowances.ts'
import { HOP_PROTOCOL, HopType, hop, type Message, STOP_PROTOCOL, Status, StopType, stop } from './circuit-messages.ts'
import { isRelayed } from './multiaddrs.ts'
import {
  BYTES_PER_SECOND,
  CIRCUIT_SECONDS,
  HANDSHAKE_MS,
  MAX_CIRCUITS,
  MAX_CIRCUITS_OF_PEER,
  MAX_MESSAGE_BYTES,
  MAX_RESERVATIONS,
  RESERVATION_SECONDS
} from './relay-limits.ts'
import { createRelayReservations } from './relay-reservations.ts'
import { splice } from './splice.ts'

export interface RelayServerInit {
  /** Whether the peer may use the relay still: its connection may be from before a change of the private network key. */
  accepts: (connection: Connection) => boolean
  /** Called with the outcome of each request. */
  requested: (kind: 'Reserve' | 'Connect', outcome: keyof typeof Status) => void
  carried: (bytes: number) => void
}

interface RelayServerComponents {
  registrar: Registrar
  addressManager: AddressManager
  transportManager: TransportManager
  events: TypedEventTarget<Libp2pEvents>
}

export interface RelayServer extends Startable {
  readonly reservations: number
  readonly circuits: number
  /** Where the relay listens, whatever it announces. */
  readonly listening: Multiaddr[]
}

/** A refusal, by the status that says so. */
class Refusal extends Error {
  readonly status: keyof typeof Status

  constructor(status: keyof typeof Status) {
    super(status)
    this.status = status
  }
}

/** A service of the relay's libp2p host. */
export function relayServer({ accepts, requested, carried }: RelayServerInit): (components: RelayServerComponents) => RelayServer {
  return ({ registrar, addressManager, transportManager, events }) => {
    const reservations = createRelayReservations(MAX_RESERVATIONS, RESERVATION_SECONDS)
    /** Relayed connections that each peer has opened. */
    const opened = new Map<string, number>()
    const allowances = createPeerAllowances(BYTES_PER_SECOND)
    let circuits = 0
    const running = new Set<AbortController>()

    function forget({ detail: connection }: { detail: Connection }): void {
      reservations.forget(connection)
    }

    function reserve(connection: Connection): Message {
      if (isRelayed(connection)) {
        throw new Refusal('PermissionDenied')
      }
      const until = reservations.keep(connection)
      if (until === undefined) {
        throw new Refusal('ReservationRefused')
      }
      return {
        type: HopType.Status,
        status: Status.Ok,
        reservation: { expire: Math.floor(until / 1000), addresses: addressManager.getAnnounceAddrs().map(({ bytes }) => bytes) },
        limit: { seconds: CIRCUIT_SECONDS }
      }
    }

    /** The connection by which the peer that is asked for can be reached. */
    function reservationOf(request: Message): Connection {
      let peerId: PeerId
      try {
        peerId = peerIdFromMultihash(Digest.decode(request.peer ?? new Uint8Array()) as Parameters<typeof peerIdFromMultihash>[0])
      } catch {
        throw new Refusal('MalformedMessage')
      }
      const connection = reservations.of(peerId.toString())
      if (connection === undefined || !accepts(connection)) {
        throw new Refusal('NoReservation')
      }
      return connection
    }

    function checkRoom(caller: Connection): void {
      if (isRelayed(caller)) {
        throw new Refusal('PermissionDenied')
      }
      if (circuits >= MAX_CIRCUITS || (opened.get(caller.remotePeer.toString()) ?? 0) >= MAX_CIRCUITS_OF_PEER) {
        throw new Refusal('ResourceLimitExceeded')
      }
    }

    /** Asks the peer that is called to take the connection. */
    async function knock(at: Connection, caller: PeerId, signal: AbortSignal): Promise<Stream> {
      let stream: Stream | undefined
      try {
        stream = await at.newStream(STOP_PROTOCOL, { signal, maxOutboundStreams: MAX_CIRCUITS })
        const messages = pbStream(stream, { maxDataLength: MAX_MESSAGE_BYTES })
        const question = { type: StopType.Connect, peer: caller.toMultihash().bytes, limit: { seconds: CIRCUIT_SECONDS } }
        await messages.write(question, stop, { signal })
        const { status } = await messages.read(stop, { signal })
        if (status !== Status.Ok) {
          throw new Error(`the peer answered ${status}`)
        }
        return messages.unwrap()
      } catch (error) {
        stream?.abort(error as Error)
        throw new Refusal('ConnectionFailed')
      }
    }

    function count(peerId: string, by: 1 | -1): void {
      circuits += by
      const left = (opened.get(peerId) ?? 0) + by
      if (left === 0) {
        opened.delete(peerId)
      } else {
        opened.set(peerId, left)
      }
    }

    /** Answers that the connection is there, and carries it until its end. */
    async function relay(
      caller: Connection,
      messages: ProtobufStream<Stream>,
      called: Stream,
      at: Connection,
      signal: AbortSignal
    ): Promise<void> {
      const over = new AbortController()
      const timer = setTimeout(() => over.abort(new Error('the relayed connection has had its time')), CIRCUIT_SECONDS * 1000)
      running.add(over)
      const [own, others] = [allowances.use(caller.remotePeer.toString()), allowances.use(at.remotePeer.toString())]
      try {
        await messages.write({ type: HopType.Status, status: Status.Ok, limit: { seconds: CIRCUIT_SECONDS } }, hop, { signal })
        requested('Connect', 'Ok')
        await splice(messages.unwrap(), called, { allowances: [own.allowance, others.allowance], carried, signal: over.signal })
      } catch (error) {
        called.abort(error as Error)
        throw error
      } finally {
        clearTimeout(timer)
        running.delete(over)
        own.release()
        others.release()
      }
    }

    async function connect(caller: Connection, messages: ProtobufStream<Stream>, request: Message, signal: AbortSignal): Promise<void> {
      checkRoom(caller)
      const at = reservationOf(request)
      const peerId = caller.remotePeer.toString()
      count(peerId, 1)
      try {
        await relay(caller, messages, await knock(at, caller.remotePeer, signal), at, signal)
      } finally {
        count(peerId, -1)
      }
    }

    async function onHop(stream: Stream, connection: Connection): Promise<void> {
      const signal = AbortSignal.timeout(HANDSHAKE_MS)
      const messages = pbStream(stream, { maxDataLength: MAX_MESSAGE_BYTES })
      const request = await messages.read(hop, { signal })
      const kind = request.type === HopType.Reserve ? 'Reserve' : 'Connect'
      try {
        if (!accepts(connection)) {
          throw new Refusal('PermissionDenied')
        }
        if (request.type === HopType.Reserve) {
          await messages.write(reserve(connection), hop, { signal })
          requested('Reserve', 'Ok')
          await stream.close({ signal })
        } else if (request.type === HopType.Connect) {
          await connect(connection, messages, request, signal)
        } else {
          throw new Refusal('UnexpectedMessage')
        }
      } catch (error) {
        if (!(error instanceof Refusal)) {
          throw error
        }
        requested(kind, error.status)
        await messages.write({ type: HopType.Status, status: Status[error.status] }, hop, { signal })
        await stream.close({ signal })
      }
    }

    return {
      get reservations() {
        return reservations.size
      },
      get circuits() {
        return circuits
      },
      get listening() {
        return transportManager.getAddrs()
      },
      async start() {
        events.addEventListener('connection:close', forget)
        await registrar.handle(HOP_PROTOCOL, (stream, connection) => void onHop(stream, connection).catch((error) => stream.abort(error)), {
          maxInboundStreams: MAX_CIRCUITS_OF_PEER + 16
        })
      },
      async stop() {
        events.removeEventListener('connection:close', forget)
        await registrar.unhandle(HOP_PROTOCOL)
        for (const over of running) {
          over.abort(new Error('the relay is shutting down'))
        }
      }
    }
  }
}
