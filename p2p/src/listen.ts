/** Listening, with failures that name the setting to change. */

import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { reasonOf, StartError } from './errors.ts'

/** Starts an HTTP server; the URL at which it answers. */
export async function listen(variable: string, server: Server, port: number, host: string | undefined): Promise<string> {
  await naming(variable, async () => {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen({ port, host }, resolve)
    })
  })
  const { address, port: actual, family } = server.address() as AddressInfo
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${actual}`
}

/** Turns a failure to listen into one line that names what to change. */
export async function naming(variable: string, start: () => Promise<void>): Promise<void> {
  try {
    await start()
  } catch (error) {
    throw new StartError(`${variable}: ${reasonOf(error)}; choose another port or stop what listens there`)
  }
}
