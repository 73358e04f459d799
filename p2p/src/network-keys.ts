/** The keys of the private network: only who holds one that is accepted can speak to a sidecar. */

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { reasonOf, StartError } from './errors.ts'
import type { Log } from './log.ts'
import { readIfPresent } from './state-file.ts'
import { watchFile } from './watch-file.ts'

/** One key in the file format of libp2p's specs/pnet/Private-Networks-PSK-V1. */
const KEY = /\/key\/swarm\/psk\/1\.0\.0\/\s+\/base16\/\s+([0-9a-f]{64})(?:\s+|$)/giy
/** In one file: each is tried on who connects. */
export const MAX_KEYS = 8

const SETTING = 'ISEK_P2P_PRIVATE_NETWORK_KEY_FILE'
const FORM = `it needs the lines /key/swarm/psk/1.0.0/, /base16/ and 64 hex digits, and again for each further key (${MAX_KEYS} at most, none twice)`

export interface NetworkKey {
  secret: Uint8Array
  /** What anybody may know of it: 16 hexadecimal digits. */
  fingerprint: string
}

/** The keys in use, which change while the sidecar runs. */
export interface NetworkKeys {
  /** All that are accepted; the first is dialled with. */
  readonly accepted: readonly NetworkKey[]
  /** Calls whoever wants to know when they have changed. */
  onChange(listener: () => void): void
  stop(): void
}

/**
 * Reads a file with one key after the other, and again whenever it changes; one that is of no use then is passed over.
 *
 * @throws StartError
 */
export async function loadNetworkKeys(path: string, log: Log): Promise<NetworkKeys> {
  const content = await readIfPresent(path).catch((error) => {
    throw new StartError(`${SETTING}: ${reasonOf(error)}`)
  })
  if (content === undefined) {
    throw new StartError(`${SETTING} is ${JSON.stringify(path)}, which does not exist; name a swarm key file`)
  }
  let accepted = parseNetworkKeys(content.toString('latin1'))
  if (accepted.length === 0) {
    throw new StartError(`${SETTING}: ${path} is no swarm key; ${FORM}`)
  }
  const listeners: Array<() => void> = []

  async function readAgain(): Promise<void> {
    try {
      const found = parseNetworkKeys(await readFile(path, 'latin1'))
      if (found.length === 0) {
        log.error('the private network keys stay as they are: the file is no swarm key', { path, form: FORM })
      } else if (namesOf(found) !== namesOf(accepted)) {
        accepted = found
        log.info('private network keys were read anew', { accepted: namesOf(found) })
        for (const listener of listeners) {
          listener()
        }
      }
    } catch (error) {
      log.error('the private network keys stay as they are: the file cannot be read', { path, reason: reasonOf(error) })
    }
  }

  const watch = watchFile(path, () => void readAgain())
  return {
    get accepted() {
      return accepted
    },
    onChange: (listener) => void listeners.push(listener),
    stop: () => watch.stop()
  }
}

/** The keys in a file, in their order; none where it is of another form. */
export function parseNetworkKeys(text: string): NetworkKey[] {
  const trimmed = text.trimStart()
  const found: NetworkKey[] = []
  let end = 0
  for (const match of trimmed.matchAll(KEY)) {
    const secret = Buffer.from(match[1] as string, 'hex')
    found.push({ secret, fingerprint: fingerprintOf(secret) })
    end = match.index + match[0].length
  }
  const distinct = new Set(found.map(({ fingerprint }) => fingerprint)).size
  return end === trimmed.length && distinct === found.length && found.length <= MAX_KEYS ? found : []
}

/** As isek.processes.network_key has it. */
function fingerprintOf(secret: Uint8Array): string {
  return createHash('sha256').update('isek private network key\0').update(secret).digest('hex').slice(0, 16)
}

function namesOf(keys: readonly NetworkKey[]): string {
  return keys.map(({ fingerprint }) => fingerprint).join(' ')
}
