/** The lasting identity of a sidecar or relay: an Ed25519 key whose public half is the peer id. */

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
  return parse(path, stored, 'delete it and the sidecar makes a new identity')
}

/**
 * Reads the key that a relay is given.
 *
 * @throws StartError
 */
export async function readIdentity(path: string): Promise<PrivateKey> {
  const stored = await readIfPresent(path)
  if (stored === undefined) {
    throw new StartError(`ISEK_P2P_IDENTITY_FILE is ${JSON.stringify(path)}, which does not exist; name a file with a libp2p private key`)
  }
  return parse(path, stored, "write one in libp2p's protobuf form, Ed25519")
}

function parse(path: string, stored: Uint8Array, hint: string): PrivateKey {
  try {
    return privateKeyFromProtobuf(stored)
  } catch {
    throw new StartError(`${path} holds no libp2p private key; ${hint}`)
  }
}
