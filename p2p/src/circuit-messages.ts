/**
 * The messages of circuit relay v2 that a relay reads and writes, as protobuf.
 *
 * Source: libp2p/specs, relay/circuit-v2. Vouchers are left out: nothing in a mesh reads them.
 */

import type { Uint8ArrayList } from 'uint8arraylist'

/** Between a peer and its relay: reserve, or connect me with another one. */
export const HOP_PROTOCOL = '/libp2p/circuit/relay/0.2.0/hop'
/** Between a relay and the peer that is called through it. */
export const STOP_PROTOCOL = '/libp2p/circuit/relay/0.2.0/stop'

export const HopType = { Reserve: 0, Connect: 1, Status: 2 } as const
export const StopType = { Connect: 0, Status: 1 } as const

export const Status = {
  Ok: 100,
  ReservationRefused: 200,
  ResourceLimitExceeded: 201,
  PermissionDenied: 202,
  ConnectionFailed: 203,
  NoReservation: 204,
  MalformedMessage: 400,
  UnexpectedMessage: 401
} as const

export interface Limit {
  /** How long a relayed connection may last. */
  seconds: number
}

/** A message of either protocol: they differ in the numbers of their fields. */
export interface Message {
  type: number | undefined
  /** The id of the other peer, as a multihash. */
  peer?: Uint8Array
  reservation?: { expire: number; addresses: Uint8Array[] }
  limit?: Limit
  status?: number
}

interface Numbers {
  reservation?: number
  limit: number
  status: number
}

export const hop = codec({ reservation: 3, limit: 4, status: 5 })
export const stop = codec({ limit: 3, status: 4 })

const TYPE = 1
const PEER = 2
const VARINT = 0
const BYTES = 2
/** The widths of protobuf's fixed-size fields, by wire type. */
const FIXED: Record<number, number> = { 1: 8, 5: 4 }

function codec(numbers: Numbers): { encode(message: Message): Uint8Array; decode(data: Uint8Array | Uint8ArrayList): Message } {
  return {
    encode({ type, peer, reservation, limit, status }) {
      return Uint8Array.from([
        ...varintField(TYPE, type),
        ...(peer === undefined ? [] : bytesField(PEER, bytesField(1, peer))),
        ...(reservation === undefined || numbers.reservation === undefined
          ? []
          : bytesField(numbers.reservation, [
              ...varintField(1, reservation.expire),
              ...reservation.addresses.flatMap((address) => bytesField(2, address))
            ])),
        ...(limit === undefined ? [] : bytesField(numbers.limit, varintField(1, limit.seconds))),
        ...varintField(numbers.status, status)
      ])
    },
    decode(data) {
      const message: Message = { type: undefined }
      for (const { field, value } of fieldsOf(data.subarray())) {
        if (field === TYPE && typeof value === 'number') {
          message.type = value
        } else if (field === numbers.status && typeof value === 'number') {
          message.status = value
        } else if (field === PEER && typeof value === 'object') {
          for (const inner of fieldsOf(value)) {
            if (inner.field === 1 && typeof inner.value === 'object') {
              message.peer = inner.value
            }
          }
        }
      }
      return message
    }
  }
}

function varintField(field: number, value: number | undefined): number[] {
  return value === undefined ? [] : [...varint(field * 8 + VARINT), ...varint(value)]
}

function bytesField(field: number, value: ArrayLike<number> & Iterable<number>): number[] {
  return [...varint(field * 8 + BYTES), ...varint(value.length), ...value]
}

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) + 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return [...bytes, rest]
}

interface Field {
  field: number
  /** A whole number, or bytes; undefined where it is of another kind, and passed over. */
  value: number | Uint8Array | undefined
}

/** @throws Error: the bytes are no protobuf message */
function* fieldsOf(data: Uint8Array): Generator<Field> {
  let at = 0

  function number(): number {
    let value = 0
    for (let power = 1; power <= 2 ** 63; power *= 0x80) {
      const byte = data[at++]
      if (byte === undefined) {
        throw new Error('the message ends within a number')
      }
      value += (byte & 0x7f) * power
      if (byte < 0x80) {
        return value
      }
    }
    throw new Error('the message has a number of more than 64 bits')
  }

  function bytes(length: number): Uint8Array {
    if (length > data.length - at) {
      throw new Error('the message ends within a field')
    }
    at += length
    return data.subarray(at - length, at)
  }

  while (at < data.length) {
    const key = number()
    const field = Math.floor(key / 8)
    const kind = key % 8
    if (kind === VARINT) {
      yield { field, value: number() }
    } else if (kind === BYTES) {
      yield { field, value: bytes(number()) }
    } else {
      const width = FIXED[kind]
      if (width === undefined) {
        throw new Error(`the message has a field of the unknown kind ${kind}`)
      }
      bytes(width)
      yield { field, value: undefined }
    }
  }
}
