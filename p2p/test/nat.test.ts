/** Sidecars behind real NAT: each in a network namespace of its own, behind a router that masquerades, the relay in between. */

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import type { Context } from '../src/local-api.ts'
import type { Endpoints } from '../src/sidecar.ts'
import { temporaryDirectory } from './support/mesh.ts'
import { run } from './support/process.ts'
import { relayEnvironment } from './support/relays.ts'
import { until } from './support/until.ts'

const RELAY = '8.8.2.1'
const STARTED_MS = 30_000
/** Where `ip` is. */
const PATH = process.env.PATH ?? ''

interface Side {
  namespace: string
  /** Of the router, as the others see it. */
  publicHost: string
}

/** Whether namespaces, routes and NAT may be made here: not in most containers. */
function mayMakeNetworks(): boolean {
  try {
    execFileSync('ip', ['netns', 'add', `isek-try-${process.pid}`], { stdio: 'ignore' })
    execFileSync('ip', ['netns', 'exec', `isek-try-${process.pid}`, 'iptables', '-t', 'nat', '-L'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  } finally {
    try {
      execFileSync('ip', ['netns', 'del', `isek-try-${process.pid}`], { stdio: 'ignore' })
    } catch {
      // there is none
    }
  }
}

function shell(line: string): void {
  const [program, ...args] = line.split(' ') as [string, ...string[]]
  execFileSync(program, args, { stdio: 'pipe' })
}

/** Two homes with a router each, and the internet between them, where the relay lives. */
function makeNetworks(t: TestContext): { internet: string; near: Side; far: Side; forward(side: Side): void } {
  const name = (what: string) => `isek-${what}-${process.pid}`
  const internet = name('internet')
  const namespaces = [internet, ...['near', 'far'].flatMap((side) => [name(side), name(`${side}-router`)])]
  t.after(() => {
    for (const namespace of namespaces) {
      shell(`ip netns del ${namespace}`)
    }
  })
  for (const namespace of namespaces) {
    shell(`ip netns add ${namespace}`)
    shell(`ip -n ${namespace} link set lo up`)
    shell(`ip netns exec ${namespace} sysctl -qw net.ipv4.ip_forward=1`)
  }
  function link(one: string, oneHost: string, other: string, otherHost: string, device: string): void {
    shell(`ip link add ${device} netns ${one} type veth peer name up0 netns ${other}`)
    for (const [namespace, host, own] of [
      [one, oneHost, device],
      [other, otherHost, 'up0']
    ] as const) {
      shell(`ip -n ${namespace} addr add ${host}/24 dev ${own}`)
      shell(`ip -n ${namespace} link set ${own} up`)
    }
    shell(`ip -n ${other} route add default via ${oneHost}`)
  }
  const [near, far] = ['near', 'far'].map((side, index) => {
    const [namespace, router, number] = [name(side), name(`${side}-router`), index + 1]
    link(internet, `8.8.${number}.1`, router, `8.8.${number}.2`, side)
    link(router, `10.${number}.0.1`, namespace, `10.${number}.0.2`, 'home')
    shell(`ip netns exec ${router} iptables -t nat -A POSTROUTING -o up0 -j MASQUERADE`)
    return { namespace, publicHost: `8.8.${number}.2` }
  }) as [Side, Side]
  return {
    internet,
    near,
    far,
    forward({ namespace, publicHost }) {
      const home = publicHost.replace('8.8', '10').replace(/\.2$/, '.0.2')
      shell(
        `ip netns exec ${namespace.replace(/-(\d+)$/, '-router-$1')} iptables -t nat -A PREROUTING -i up0 -p tcp --dport 9000 -j DNAT --to ${home}:9000`
      )
    }
  }
}

/** The first line of a program in a namespace, which runs until the end of the test. */
async function firstLineOf(t: TestContext, namespace: string, ...args: string[]): Promise<string> {
  const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(async () => {
    child.kill()
    await once(child, 'exit')
  })
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  return line
}

interface Peer {
  context(): Promise<Context>
  /** The path of an answered call, or the error. */
  call(addresses: readonly string[]): Promise<string>
}

async function startSidecar(t: TestContext, { namespace, publicHost }: Side, relays: string): Promise<Peer> {
  const stateDir = await temporaryDirectory(t)
  const env = {
    PATH,
    ISEK_P2P_ANNOUNCE_HOST: publicHost,
    ISEK_P2P_NODE_URL: await firstLineOf(t, namespace, join(import.meta.dirname, '../bench/node.ts')),
    ISEK_P2P_STATE_DIR: stateDir,
    ISEK_P2P_RELAYS_FILE: relays
  }
  run(t, env, [], ['ip', 'netns', 'exec', namespace])
  let endpoints: Endpoints | undefined
  await until(
    'the sidecar listens',
    async () => {
      endpoints = await readFile(join(stateDir, 'endpoints.json'), 'utf8').then(JSON.parse, () => undefined)
      return endpoints !== undefined
    },
    STARTED_MS
  )
  const authorization = `Bearer ${await readFile(join(stateDir, 'token'), 'utf8')}`
  const ask = (path: string, method: string, show: string) =>
    execFileSync(
      'ip',
      [
        'netns',
        'exec',
        namespace,
        process.execPath,
        '-e',
        `fetch(process.argv[1], ${JSON.stringify({ method, headers: { authorization } })}).then(async (answer) => console.log(${show}))`,
        `${endpoints?.api}${path}`
      ],
      { encoding: 'utf8' }
    ).trim()
  return {
    context: async () => JSON.parse(ask('/p2p_context', 'GET', 'await answer.text()')) as Context,
    call: async (addresses) => {
      const query = new URLSearchParams(addresses.map((address) => ['p2p_address', address] as [string, string]))
      return ask(`/call_peer?${query}`, 'POST', 'answer.headers.get("isek-path") ?? (await answer.text())')
    }
  }
}

const skip = !mayMakeNetworks() && 'network namespaces cannot be made here'

for (const [what, forwarded] of [
  ['two sidecars behind NAT speak through a relay', false],
  ['where one of two sidecars behind NAT has a port forwarded, the first call is relayed and later ones are direct', true]
] as const) {
  test(what, { skip }, async (t) => {
    const { internet, near, far, forward } = makeNetworks(t)
    if (forwarded) {
      forward(near)
    }
    const env = await relayEnvironment(t, { PATH, ISEK_P2P_LISTEN_HOST: '', ISEK_P2P_LISTEN_PORT: '9000', ISEK_LOG_FORMAT: 'JSON' })
    const relay = run(t, env, ['relay'], ['ip', 'netns', 'exec', internet])
    await until('the relay listens', () => relay.output().includes('"relaying"'), STARTED_MS)
    const peerId = /"peer_id":"(\w+)"/.exec(relay.output())?.[1] ?? ''
    const relays = join(await temporaryDirectory(t), 'relays')
    await writeFile(relays, `/ip4/${RELAY}/tcp/9000/p2p/${peerId}`)
    const [caller, called] = [await startSidecar(t, near, relays), await startSidecar(t, far, relays)]
    await until('the far one has reserved', async () => (await called.context()).p2p_addresses.length > 1, STARTED_MS)
    const addresses = (await called.context()).p2p_addresses

    const first = await caller.call(addresses)

    assert.equal(first, 'relay')
    if (forwarded) {
      await until('the far one has dialled back', async () => (await caller.call(addresses)) === 'libp2p', STARTED_MS)
    } else {
      assert.equal(await caller.call(addresses), 'relay')
    }
  })
}
