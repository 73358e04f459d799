import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { createLog } from '../src/log.ts'
import { loadNetworkKeys, MAX_KEYS, parseNetworkKeys } from '../src/network-keys.ts'
import { swarmKey, temporaryDirectory } from './support/mesh.ts'
import { until } from './support/until.ts'

const quiet = createLog({ format: 'Text', level: 'error', write: () => {} })

test('keys are read one after the other, and named by the fingerprints that the operator knows them by', () => {
  const zeros = '/key/swarm/psk/1.0.0/\r\n/base16/\r\n'.concat('00'.repeat(32), '\r\n')

  const found = parseNetworkKeys(zeros + swarmKey())

  assert.deepEqual(
    found.map(({ secret }) => secret.length),
    [32, 32]
  )
  assert.equal(found[0]?.fingerprint, '0c1b94574cfce00d')
})

const key = swarmKey()
for (const [name, text] of Object.entries({
  nothing: '',
  'a word': 'secret',
  'something before it': `x${key}`,
  'something after it': `${key}x`,
  'the same twice': key + key,
  'too short': key.slice(0, -3),
  'too many': Array.from({ length: MAX_KEYS + 1 }, swarmKey).join('')
})) {
  test(`a file with ${name} has no keys`, () => assert.deepEqual(parseNetworkKeys(text), []))
}

test('whatever stands in the file, it is read or has no keys', () => {
  const piece = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(key, '/key/swarm/psk/1.0.0/', '/base16/', '\n', 'ab'.repeat(32)))
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const begun = performance.now()
      for (const { secret, fingerprint } of parseNetworkKeys(pieces.join(''))) {
        assert.equal(secret.length, 32)
        assert.match(fingerprint, /^[0-9a-f]{16}$/)
      }
      assert.ok(performance.now() - begun < 10_000)
    })
  )
})

test('keys are read anew when a kubelet moves its symlink, and stay where the file is of no use', async (t) => {
  const folder = await temporaryDirectory(t)
  const show = async (version: string, content: string) => {
    await mkdir(join(folder, version))
    await writeFile(join(folder, version, 'private-network.key'), content)
    await symlink(version, join(folder, '..data_tmp'))
    await rename(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  const [first, second] = [swarmKey(), swarmKey()]
  await show('1', first)
  await symlink('..data/private-network.key', join(folder, 'private-network.key'))
  const errors: string[] = []
  const log = { ...quiet, error: (message: string) => void errors.push(message) }
  const keys = await loadNetworkKeys(join(folder, 'private-network.key'), log)
  t.after(() => keys.stop())
  let changes = 0
  keys.onChange(() => {
    changes += 1
  })

  await show('2', second + first)
  await until('both are accepted', () => keys.accepted.length === 2)
  assert.deepEqual(keys.accepted, parseNetworkKeys(second + first))

  await show('3', randomBytes(40).toString('hex'))
  await until('the error is told', () => errors.length > 0)
  assert.deepEqual(keys.accepted, parseNetworkKeys(second + first))
  assert.equal(changes, 1)
})
