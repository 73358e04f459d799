import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSettings } from '../src/settings.ts'
import { loopback, temporaryDirectory } from './support/mesh.ts'
import { run } from './support/process.ts'

test('without any variable the ports and paths of a pod are used', () => {
  const settings = readSettings({})

  assert.deepEqual([settings.listenPort, settings.apiPort, settings.healthPort], [9000, 9001, 9002])
  assert.equal(settings.nodeUrl.href, 'http://127.0.0.1:8080/')
  assert.equal(settings.stateDir, '/var/run/isek/p2p')
  assert.equal(settings.announceHost, undefined)
})

for (const [variable, value, fix] of [
  ['ISEK_P2P_LISTEN_PORT', '70000', '0 (any free one) to 65535'],
  ['ISEK_P2P_API_PORT', 'none', '0 (any free one) to 65535'],
  ['ISEK_P2P_LISTEN_HOST', 'localhost', 'IP address'],
  ['ISEK_P2P_ANNOUNCE_HOST', 'pod-1', 'IP address'],
  ['ISEK_P2P_NODE_URL', 'https://127.0.0.1:8080', 'http://HOST:PORT'],
  ['ISEK_P2P_MAX_BODY_BYTES', '16M', 'a number of bytes'],
  ['ISEK_LOG_FORMAT', 'xml', 'Text, JSON'],
  ['ISEK_LOG_LEVEL', 'loud', 'debug, info, warning, error']
] as const) {
  test(`a bad ${variable} is named together with its fix`, () => {
    assert.throws(
      () => readSettings({ [variable]: value }),
      (error: Error) => error.message.includes(variable) && error.message.includes(JSON.stringify(value)) && error.message.includes(fix)
    )
  })
}

async function failedStart(t: Parameters<typeof run>[0], env: Record<string, string>): Promise<string> {
  const { code, stderr } = await run(t, env).exited
  assert.equal(code, 1)
  const lines = stderr.trim().split('\n')
  return lines.at(-1) ?? ''
}

test('the process ends a bad setting with one line and exit code 1', async (t) => {
  const line = await failedStart(t, { ISEK_P2P_LISTEN_PORT: 'x' })

  assert.equal(line, 'isek-p2p: ISEK_P2P_LISTEN_PORT is "x"; set it to a port from 0 (any free one) to 65535')
})

test('a file that is no swarm key is named', async (t) => {
  const path = join(await temporaryDirectory(t), 'key')
  await writeFile(path, 'hello')

  const line = await failedStart(t, {
    ...loopback('http://127.0.0.1:1', await temporaryDirectory(t)),
    ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: path
  })

  assert.match(line, /ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: .*key is no swarm key/)
})

for (const variable of ['ISEK_P2P_LISTEN_PORT', 'ISEK_P2P_API_PORT', 'ISEK_P2P_HEALTH_PORT']) {
  test(`a port in use is named as ${variable}`, async (t) => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    t.after(() => other.close())

    const line = await failedStart(t, {
      ...loopback('http://127.0.0.1:1', await temporaryDirectory(t)),
      [variable]: String((other.address() as AddressInfo).port)
    })

    assert.match(line, new RegExp(`^isek-p2p: ${variable}: .*choose another port`))
  })
}

test('an identity that cannot be read is named', async (t) => {
  const stateDir = await temporaryDirectory(t)
  await writeFile(join(stateDir, 'identity'), 'hello')

  assert.match(await failedStart(t, loopback('http://127.0.0.1:1', stateDir)), /identity holds no libp2p private key; delete it/)
})
