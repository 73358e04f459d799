/** A libp2p host like a sidecar's, without a sidecar around it. */

import type { TestContext } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Libp2p } from '@libp2p/interface'
import { createHost } from '../../src/libp2p.ts'

export async function startHost(t: TestContext): Promise<Libp2p> {
  const { libp2p } = await createHost({
    privateKey: await generateKeyPair('Ed25519'),
    listenHost: '127.0.0.1',
    listenPort: 0,
    announceHost: undefined,
    protector: undefined,
    refuseConnections: () => false,
    refused: () => {}
  })
  await libp2p.start()
  t.after(() => libp2p.stop())
  return libp2p
}
