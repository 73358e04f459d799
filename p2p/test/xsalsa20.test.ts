import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { KEY_BYTES, NONCE_BYTES, xsalsa20 } from '../src/xsalsa20.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

test('it is XSalsa20: the stream that NaCl tells of', () => {
  // tests/stream3.c of NaCl 20110221: the first 32 bytes
  const key = Buffer.from('1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389', 'hex')
  const nonce = Buffer.from('69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37', 'hex')

  const stream = xsalsa20(key, nonce).update(new Uint8Array(32))

  assert.equal(Buffer.from(stream).toString('hex'), 'eea6a7251c1e72916d11c2cb214d3c252539121d8e234e652d651fa4c8cff880')
})

test('where a message is cut makes no difference', () => {
  fc.assert(
    fc.property(
      bytes(KEY_BYTES),
      bytes(NONCE_BYTES),
      fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 12 }),
      (key, nonce, parts) => {
        const piecewise = xsalsa20(key, nonce)
        const atOnce = xsalsa20(key, nonce).update(Buffer.concat(parts))

        assert.deepEqual(Buffer.concat(parts.map((part) => piecewise.update(part))), Buffer.from(atOnce))
      }
    )
  )
})

test('what was encrypted is decrypted by the same', () => {
  const [key, nonce, message] = [randomBytes(KEY_BYTES), randomBytes(NONCE_BYTES), randomBytes(1_000_003)]

  const encrypted = xsalsa20(key, nonce).update(message)

  assert.ok(!message.equals(encrypted))
  assert.deepEqual(Buffer.from(xsalsa20(key, nonce).update(encrypted)), message)
})

test('a key or a nonce of another length is refused', () => {
  assert.throws(() => xsalsa20(randomBytes(31), randomBytes(24)), RangeError)
  assert.throws(() => xsalsa20(randomBytes(32), randomBytes(8)), RangeError)
})
