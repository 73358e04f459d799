/** Sidecars whose private network keys are replaced while they run. */

import { writeFile } from 'node:fs/promises'
import type { TestContext } from 'node:test'
import { parseNetworkKeys } from '../../src/network-keys.ts'
import { type Peer, privateNetworkKey, startPeer } from './mesh.ts'
import { until } from './until.ts'

/** Some looks at the file, on a machine that is busy. */
export const TAKEN_UP_MS = 20_000

export interface KeyHolder extends Peer {
  keyFile: string
}

/** A sidecar with a key file of its own. */
export async function startWithKeys(
  t: TestContext,
  nodeUrl: string,
  keys: readonly string[],
  env: Record<string, string> = {}
): Promise<KeyHolder> {
  const keyFile = await privateNetworkKey(t, ...keys)
  return { ...(await startPeer(t, nodeUrl, { ...env, ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: keyFile })), keyFile }
}

/** Replaces the keys of one after the other, each once the one before has taken them up. */
export async function giveKeys(peers: KeyHolder[], keys: string[]): Promise<void> {
  const wanted = fingerprints(keys)
  for (const peer of peers) {
    await writeFile(peer.keyFile, keys.join(''))
    await until('the keys are taken up', async () => (await peer.context()).network_keys.join(' ') === wanted, TAKEN_UP_MS)
  }
}

export function fingerprints(keys: string[]): string {
  return parseNetworkKeys(keys.join(''))
    .map(({ fingerprint }) => fingerprint)
    .join(' ')
}
