/** Starts a sidecar, or with the argument `relay` a relay, from its environment, and stops it on SIGTERM or SIGINT. */

import { reasonOf, StartError } from './errors.ts'
import { createLog, type Log } from './log.ts'
import { startRelay } from './relay.ts'
import { readRelaySettings, readSettings } from './settings.ts'
import { startSidecar } from './sidecar.ts'

try {
  const signal = new Promise<string>((resolve) => {
    process.once('SIGTERM', resolve).once('SIGINT', resolve)
  })
  const { running, log } = await start(process.argv.slice(2))
  log.debug('signal received', { signal: await signal })
  await running.stop()
  process.exit(0)
} catch (error) {
  process.stderr.write(`isek-p2p: ${error instanceof StartError ? error.message : `unexpected failure: ${reasonOf(error)}`}\n`)
  process.exit(1)
}

async function start(args: string[]): Promise<{ running: { stop(): Promise<void> }; log: Log }> {
  if (args.length === 0) {
    const settings = readSettings(process.env)
    const log = createLog({ format: settings.logFormat, level: settings.logLevel })
    return { running: await startSidecar(settings, log), log }
  }
  if (args.length === 1 && args[0] === 'relay') {
    const settings = readRelaySettings(process.env)
    const log = createLog({ format: settings.logFormat, level: settings.logLevel })
    return { running: await startRelay(settings, log), log }
  }
  throw new StartError(`unknown arguments: ${args.join(' ')}; give none for a sidecar, or relay`)
}
