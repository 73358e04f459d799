/**
 * XSalsa20 as a stream: what libp2p's private networks are encrypted with (specs/pnet/Private-Networks-PSK-V1).
 *
 * In place of the package xsalsa20, whose instances share one memory that none of them gives back: some thousand
 * connections, or one large message, and it grows with each byte until the process ends. Source: Bernstein, "The Salsa20
 * family of stream ciphers" and "Extending the Salsa20 nonce". For little-endian machines, as Node.js has them.
 */

export const NONCE_BYTES = 24
export const KEY_BYTES = 32

const BLOCK_BYTES = 64
/** "expand 32-byte k" */
const SIGMA = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const

export interface Cipher {
  /** The next bytes, encrypted or decrypted, which is the same. */
  update(data: Uint8Array): Uint8Array
}

export function xsalsa20(key: Uint8Array, nonce: Uint8Array): Cipher {
  if (key.length !== KEY_BYTES || nonce.length !== NONCE_BYTES) {
    throw new RangeError(`a key has ${KEY_BYTES} bytes, a nonce ${NONCE_BYTES}`)
  }
  const input = stateOf(words(key), words(nonce.subarray(0, 16)))
  const mixed = new Uint32Array(16)
  block(input, mixed)
  const subkey = Uint32Array.from([0, 5, 10, 15, 6, 7, 8, 9], (word) => (mixed[word] as number) - (input[word] as number))
  const state = stateOf(subkey, Uint32Array.of(...words(nonce.subarray(16)), 0, 0))
  const keystream = new Uint32Array(16)
  const bytes = new Uint8Array(keystream.buffer)
  let used = BLOCK_BYTES

  function nextBlock(): void {
    block(state, keystream)
    state[8] = (state[8] as number) + 1
    if (state[8] === 0) {
      state[9] = (state[9] as number) + 1
    }
  }

  return {
    update(data) {
      const { length } = data
      const head = Math.min(length, BLOCK_BYTES - used)
      // so that whole blocks begin at a word
      const out = new Uint8Array(new ArrayBuffer(length + 4), (4 - (head & 3)) & 3, length)
      out.set(data)
      for (let at = 0; at < head; at++) {
        out[at] = (out[at] as number) ^ (bytes[used++] as number)
      }
      const blocks = (length - head) >>> 6
      const whole = new Uint32Array(out.buffer, out.byteOffset + head, blocks * 16)
      for (let at = 0; at < whole.length; at += 16) {
        nextBlock()
        for (let word = 0; word < 16; word++) {
          whole[at + word] = (whole[at + word] as number) ^ (keystream[word] as number)
        }
      }
      const tail = head + blocks * BLOCK_BYTES
      if (tail < length) {
        nextBlock()
        for (used = 0; tail + used < length; used++) {
          out[tail + used] = (out[tail + used] as number) ^ (bytes[used] as number)
        }
      }
      return out
    }
  }
}

function words(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(Uint8Array.from(bytes).buffer)
}

/** Key and the 16 bytes of nonce and counter in their places. */
function stateOf(key: Uint32Array, input: Uint32Array): Uint32Array {
  const [sigma0, sigma1, sigma2, sigma3] = SIGMA
  return Uint32Array.of(sigma0, ...key.subarray(0, 4), sigma1, ...input, sigma2, ...key.subarray(4), sigma3)
}

/** One block (Salsa20's core). Words in local variables: several times as fast. */
function block(input: Uint32Array, output: Uint32Array): void {
  let a = input[0] as number
  let b = input[1] as number
  let c = input[2] as number
  let d = input[3] as number
  let e = input[4] as number
  let f = input[5] as number
  let g = input[6] as number
  let h = input[7] as number
  let i = input[8] as number
  let j = input[9] as number
  let k = input[10] as number
  let l = input[11] as number
  let m = input[12] as number
  let n = input[13] as number
  let o = input[14] as number
  let p = input[15] as number
  for (let round = 0; round < 20; round += 2) {
    e ^= rotate((a + m) | 0, 7)
    i ^= rotate((e + a) | 0, 9)
    m ^= rotate((i + e) | 0, 13)
    a ^= rotate((m + i) | 0, 18)
    j ^= rotate((f + b) | 0, 7)
    n ^= rotate((j + f) | 0, 9)
    b ^= rotate((n + j) | 0, 13)
    f ^= rotate((b + n) | 0, 18)
    o ^= rotate((k + g) | 0, 7)
    c ^= rotate((o + k) | 0, 9)
    g ^= rotate((c + o) | 0, 13)
    k ^= rotate((g + c) | 0, 18)
    d ^= rotate((p + l) | 0, 7)
    h ^= rotate((d + p) | 0, 9)
    l ^= rotate((h + d) | 0, 13)
    p ^= rotate((l + h) | 0, 18)
    b ^= rotate((a + d) | 0, 7)
    c ^= rotate((b + a) | 0, 9)
    d ^= rotate((c + b) | 0, 13)
    a ^= rotate((d + c) | 0, 18)
    g ^= rotate((f + e) | 0, 7)
    h ^= rotate((g + f) | 0, 9)
    e ^= rotate((h + g) | 0, 13)
    f ^= rotate((e + h) | 0, 18)
    l ^= rotate((k + j) | 0, 7)
    i ^= rotate((l + k) | 0, 9)
    j ^= rotate((i + l) | 0, 13)
    k ^= rotate((j + i) | 0, 18)
    m ^= rotate((p + o) | 0, 7)
    n ^= rotate((m + p) | 0, 9)
    o ^= rotate((n + m) | 0, 13)
    p ^= rotate((o + n) | 0, 18)
  }
  output[0] = a + (input[0] as number)
  output[1] = b + (input[1] as number)
  output[2] = c + (input[2] as number)
  output[3] = d + (input[3] as number)
  output[4] = e + (input[4] as number)
  output[5] = f + (input[5] as number)
  output[6] = g + (input[6] as number)
  output[7] = h + (input[7] as number)
  output[8] = i + (input[8] as number)
  output[9] = j + (input[9] as number)
  output[10] = k + (input[10] as number)
  output[11] = l + (input[11] as number)
  output[12] = m + (input[12] as number)
  output[13] = n + (input[13] as number)
  output[14] = o + (input[14] as number)
  output[15] = p + (input[15] as number)
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by))
}
