/** Small secrets in the state directory that outlive a restart of the sidecar. */

import { randomUUID } from 'node:crypto'
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { reasonOf, StartError } from './errors.ts'

/** @throws StartError where the file is there but cannot be read */
export async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined
    }
    throw new StartError(`cannot read ${path}: ${reasonOf(error)}; make it readable for this user`)
  }
}

/**
 * Writes a file so that readers see the old content or the new, never a part.
 *
 * @throws StartError
 */
export async function writeAtomically(path: string, content: Uint8Array | string, mode: number): Promise<void> {
  const next = `${path}.${randomUUID()}`
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(next, content, { mode, flag: 'wx' })
    await chmod(next, mode) // whatever the umask was
    await rename(next, path)
  } catch (error) {
    throw new StartError(`cannot write ${path}: ${reasonOf(error)}; set ISEK_P2P_STATE_DIR to a directory that can be written`)
  }
}
