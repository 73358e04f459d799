/** The token that the node and its sidecar know each other by. */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import { StartError } from './errors.ts'
import { readIfPresent, writeAtomically } from './state-file.ts'

/**
 * Reads the token from the state directory, or makes one there, readable for the node's group.
 *
 * @throws StartError
 */
export async function loadToken(stateDir: string): Promise<string> {
  const path = join(stateDir, 'token')
  const stored = (await readIfPresent(path))?.toString('ascii').trim()
  if (stored === undefined) {
    const token = randomBytes(32).toString('base64url')
    await writeAtomically(path, token, 0o640)
    return token
  }
  if (!/^[\w-]{43}$/.test(stored)) {
    throw new StartError(`${path} holds no token of a sidecar; delete it and the sidecar makes a new one`)
  }
  return stored
}

/** Tells whether an `Authorization` header carries the token, in time that does not depend on how much of it is right. */
export function createTokenCheck(token: string): (authorization: string | undefined) => boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const expected = digest(`Bearer ${token}`)
  return (authorization = '') => timingSafeEqual(digest(authorization), expected)
}
