/** Starts the sidecar from its environment and stops it on SIGTERM or SIGINT. */

import { reasonOf, StartError } from './errors.ts'
import { createLog } from './log.ts'
import { readSettings } from './settings.ts'
import { startSidecar } from './sidecar.ts'

try {
  const settings = readSettings(process.env)
  const log = createLog({ format: settings.logFormat, level: settings.logLevel })
  const sidecar = await startSidecar(settings, log)
  const signal = await new Promise<string>((resolve) => {
    process.once('SIGTERM', resolve).once('SIGINT', resolve)
  })
  log.debug('signal received', { signal })
  await sidecar.stop()
  process.exit(0)
} catch (error) {
  process.stderr.write(`isek-p2p: ${error instanceof StartError ? error.message : `unexpected failure: ${reasonOf(error)}`}\n`)
  process.exit(1)
}
