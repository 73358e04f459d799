/**
 * Private networks with several keys (specs/pnet/Private-Networks-PSK-V1): who dials uses the first, who is dialled takes
 * the one that the caller's first bytes make sense with. So a key can be replaced while everybody goes on.
 */

import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { AbortOptions, ConnectionProtector, MessageStreamDirection, MultiaddrConnection } from '@libp2p/interface'
import { AbstractMultiaddrConnection, byteStream } from '@libp2p/utils'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { NetworkKey, NetworkKeys } from './network-keys.ts'
import { type Cipher, NONCE_BYTES, xsalsa20 } from './xsalsa20.ts'

/** What every libp2p connection begins with: multistream-select's name with its length before it. */
const OPENING = Buffer.from('\x13/multistream/1.0.0\n', 'latin1')
/** Half of what libp2p takes on at once: one address that keeps silent does not keep all others out. */
export const MAX_PENDING_OF_ADDRESS = 250
/** For the nonces and the opening; a peer within a cluster takes milliseconds. */
const HANDSHAKE_MS = 3_000

export interface ProtectorInit {
  keys: NetworkKeys
  /** Told of each connection that a key was found for, and of each that none was found for. */
  opened: (connection: MultiaddrConnection, key: NetworkKey) => void
  refused: (reason: 'PrivateNetworkKey' | 'TooManyPending') => void
  handshakeMs?: number
}

export function createProtector(init: ProtectorInit): () => ConnectionProtector {
  /** Handshakes that go on, by the address that they came from. */
  const pending = new Map<string, number>()

  async function bounded(connection: MultiaddrConnection, options?: AbortOptions): Promise<MultiaddrConnection> {
    const address = connection.remoteAddr.getComponents()[0]?.value ?? ''
    const count = pending.get(address) ?? 0
    if (connection.direction === 'outbound') {
      return await protect(init, connection, options)
    }
    if (count >= MAX_PENDING_OF_ADDRESS) {
      init.refused('TooManyPending')
      throw new Error(`${count} handshakes with ${address} go on already`)
    }
    pending.set(address, count + 1)
    try {
      return await protect(init, connection, options)
    } finally {
      const left = (pending.get(address) ?? 1) - 1
      if (left === 0) {
        pending.delete(address)
      } else {
        pending.set(address, left)
      }
    }
  }

  // what libp2p protects is a connection of a transport, whatever the interface says
  return () => ({ protect: async (connection, options) => await bounded(connection as MultiaddrConnection, options) })
}

async function protect(init: ProtectorInit, connection: MultiaddrConnection, options: AbortOptions = {}): Promise<MultiaddrConnection> {
  const { keys, opened, refused, handshakeMs = HANDSHAKE_MS } = init
  const patience = AbortSignal.timeout(handshakeMs)
  const signal = options.signal ? AbortSignal.any([options.signal, patience]) : patience
  const bytes = byteStream(connection)
  const ownNonce = randomBytes(NONCE_BYTES)
  const [read] = await Promise.all([bytes.read({ bytes: NONCE_BYTES, signal }), bytes.write(ownNonce, { signal })])
  const nonce = read.subarray()
  const [dialled] = keys.accepted as [NetworkKey]
  let key: NetworkKey | undefined = dialled
  let opening: Uint8Array | undefined
  if (connection.direction === 'inbound') {
    opening = (await bytes.read({ bytes: OPENING.length, signal })).subarray()
    key = keyOf(keys.accepted, nonce, opening)
    if (key === undefined) {
      refused('PrivateNetworkKey')
      throw new Error('the peer holds none of the keys of the private network')
    }
  }
  opened(connection, key)
  return new ProtectedConnection({
    connection: bytes.unwrap(),
    incoming: xsalsa20(key.secret, nonce),
    outgoing: xsalsa20(key.secret, ownNonce),
    opening
  })
}

/** Every key is tried, so that time does not tell how many there are or which one it was. */
function keyOf(keys: readonly NetworkKey[], nonce: Uint8Array, opening: Uint8Array): NetworkKey | undefined {
  let found: NetworkKey | undefined
  for (const key of keys) {
    if (timingSafeEqual(xsalsa20(key.secret, nonce).update(opening), OPENING)) {
      found = key
    }
  }
  return found
}

interface ProtectedInit {
  connection: MultiaddrConnection
  incoming: Cipher
  outgoing: Cipher
  /** What was read already, still encrypted. */
  opening: Uint8Array | undefined
}

/** A connection whose bytes are encrypted on their way. */
class ProtectedConnection extends AbstractMultiaddrConnection {
  readonly #connection: MultiaddrConnection
  readonly #outgoing: Cipher

  constructor({ connection, incoming, outgoing, opening }: ProtectedInit) {
    const direction: MessageStreamDirection = connection.direction
    super({ remoteAddr: connection.remoteAddr, direction, log: connection.log.newScope('private-network') })
    this.#connection = connection
    this.#outgoing = outgoing
    if (opening !== undefined) {
      this.onData(incoming.update(opening))
    }
    connection.addEventListener('message', ({ data }) => {
      for (const part of data instanceof Uint8Array ? [data] : data) {
        this.onData(incoming.update(part))
      }
    })
    connection.addEventListener('drain', () => this.onMuxerDrain())
    connection.addEventListener('close', ({ error, local }) => {
      if (error === undefined) {
        this.onTransportClosed()
      } else if (local) {
        this.abort(error)
      } else {
        this.onRemoteReset()
      }
    })
  }

  override async sendClose(options?: AbortOptions): Promise<void> {
    await this.#connection.close(options)
  }

  sendData(data: Uint8ArrayList): { sentBytes: number; canSendMore: boolean } {
    return { sentBytes: data.byteLength, canSendMore: this.#connection.send(this.#outgoing.update(data.subarray())) }
  }

  sendReset(error: Error): void {
    this.#connection.abort(error)
  }

  sendPause(): void {
    this.#connection.pause()
  }

  sendResume(): void {
    this.#connection.resume()
  }
}
