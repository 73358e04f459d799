/** The sidecar's lasting identity: an Ed25519 key whose public half is the peer id. */

import { join } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { StartError } from './errors.ts'
import { readIfPresent, writeAtomically } from './state-file.ts'

/**
 * Reads the key (libp2p's protobuf form) from the state directory, or makes one there.
 *
 * @throws StartError
 */
export async function loadIdentity(stateDir: string): Promise<PrivateKey> {
  const path = join(stateDir, 'identity')
  const stored = await readIfPresent(path)
  if (stored === undefined) {
    const key = await generateKeyPair('Ed25519')
    await writeAtomically(path, privateKeyToProtobuf(key), 0o600)
    return key
  }
  try {
    return privateKeyFromProtobuf(stored)
  } catch {
    throw new StartError(`${path} holds no libp2p private key; delete it and the sidecar makes a new identity`)
  }
}
