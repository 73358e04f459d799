/** Ends TLS before a relay, as an Ingress does. */

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createServer } from 'node:tls'
import { promisify } from 'node:util'
import { temporaryDirectory } from './mesh.ts'

export interface TlsProxy {
  port: number
  /** The file with its certificate, which is its own authority. */
  certificate: string
  /** That have come until now. */
  connections(): number
}

/** Before `/ip4/<host>/tcp/<port>/…`, by the name `localhost`. */
export async function startTlsProxy(t: TestContext, address: string): Promise<TlsProxy> {
  const [, , host, , port] = address.split('/')
  const folder = await temporaryDirectory(t)
  const [key, certificate] = [join(folder, 'tls.key'), join(folder, 'tls.crt')]
  const made = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', '/CN=localhost']
  await promisify(execFile)('openssl', ['req', ...made, '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate])
  let connections = 0
  const server = createServer({ key: await readFile(key), cert: await readFile(certificate) }, (socket) => {
    connections += 1
    const relay = connect(Number(port), host)
    socket.pipe(relay).pipe(socket)
    socket.on('error', () => relay.destroy())
    relay.on('error', () => socket.destroy())
    t.after(() => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return { port: (server.address() as AddressInfo).port, certificate, connections: () => connections }
}
