/** The bundle as a process of its own, as it runs in a pod. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { readSettings } from '../../src/settings.ts'
import type { Endpoints } from '../../src/sidecar.ts'
import { loopback, type Peer, peerAt, temporaryDirectory } from './mesh.ts'
import { until } from './until.ts'

const BUNDLE = join(import.meta.dirname, '../../dist/p2p.mjs')

export interface Exit {
  code: number | null
  stderr: string
}

export interface Running {
  child: ChildProcess
  exited: Promise<Exit>
  /** What it has logged until now. */
  output(): string
}

/** `within`: a command that runs the one after it somewhere else, such as in a network namespace. */
export function run(t: TestContext, env: Record<string, string>, args: string[] = [], within: string[] = []): Running {
  const [program, ...rest] = [...within, process.execPath, BUNDLE, ...args] as [string, ...string[]]
  const child = spawn(program, rest, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const exited = once(child, 'close').then(([code]) => ({ code: code as number | null, stderr }))
  t.after(async () => {
    child.kill('SIGKILL')
    await exited
  })
  return { child, exited, output: () => stderr }
}

export async function runPeer(t: TestContext, nodeUrl: string, env: Record<string, string> = {}): Promise<Peer & Running> {
  const complete = { ...loopback(nodeUrl, await temporaryDirectory(t)), ...env }
  const stateDir = readSettings(complete).stateDir
  const running = run(t, complete)
  let endpoints: Endpoints | undefined
  const listens = async () => {
    const text = await readFile(join(stateDir, 'endpoints.json'), 'utf8').catch(() => undefined)
    endpoints = text === undefined ? undefined : (JSON.parse(text) as Endpoints)
    return (
      endpoints !== undefined &&
      (await fetch(`${endpoints.health}/readyz`).then(
        (response) => response.ok,
        () => false
      ))
    )
  }
  await until('the sidecar listens', listens, 30_000)
  const stop = async () => {
    running.child.kill('SIGTERM')
    await running.exited
  }
  return { ...(await peerAt(endpoints as Endpoints, stateDir, stop)), ...running }
}
