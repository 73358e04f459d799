/** Tells of changes of a file that others replace: also a kubelet, which moves a symlink above it. */

import { watchFile as begin, unwatchFile as end } from 'node:fs'

/** Looked at so often: what is inside is to be in use soon after it has changed, and a look costs next to nothing. */
const LOOK_MS = 1_000

export function watchFile(path: string, changed: () => void): { stop(): void } {
  begin(path, { interval: LOOK_MS, persistent: false }, changed)
  return { stop: () => end(path, changed) }
}
