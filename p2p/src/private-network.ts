/** The private network key: only its holders can speak to each other. */

import { reasonOf, StartError } from './errors.ts'
import { readIfPresent } from './state-file.ts'

/** The file format of libp2p's specs/pnet/Private-Networks-PSK-V1; others that are accepted may follow the key that is used. */
const FORMAT = /^\/key\/swarm\/psk\/1\.0\.0\/\s+\/base16\/\s+([0-9a-f]{64})\s*(?:$|\/)/i

/**
 * Reads a swarm key file.
 *
 * @throws StartError
 */
export async function readPrivateNetworkKey(path: string): Promise<Uint8Array> {
  const content = await readIfPresent(path).catch((error) => {
    throw new StartError(`ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: ${reasonOf(error)}`)
  })
  if (content === undefined) {
    throw new StartError(`ISEK_P2P_PRIVATE_NETWORK_KEY_FILE is ${JSON.stringify(path)}, which does not exist; name a swarm key file`)
  }
  const digits = FORMAT.exec(content.toString('ascii'))?.[1]
  if (digits === undefined) {
    throw new StartError(
      `ISEK_P2P_PRIVATE_NETWORK_KEY_FILE: ${path} is no swarm key; it needs the lines /key/swarm/psk/1.0.0/, /base16/ and 64 hex digits`
    )
  }
  // written anew: libp2p takes plain line feeds only
  return Buffer.from(`/key/swarm/psk/1.0.0/\n/base16/\n${digits}`)
}
