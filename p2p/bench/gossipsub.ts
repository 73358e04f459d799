/** Rows for the table of topics: a message from one libp2p host to others by gossipsub alone, all in one process, with neither nodes nor receipts. */

import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { type GossipSub, type GossipsubOpts, gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'

const LISTENERS = 5
const PACED = 100
const PACE_MS = 50
const BURST = 10_000
const PUBLISHERS = 50
/** A message that has not come by then is lost: gossipsub drops what a stream has no room for. */
const LOST_AFTER_MS = 10_000
const TOPIC = 'news'
/** Whoever hands a message on could then change it, or who it is from. */
const UNSIGNED: Partial<GossipsubOpts> = { globalSignaturePolicy: 'StrictNoSign', msgIdFn: (message) => message.data }

type Host = Libp2p<{ pubsub: GossipSub }>

console.log(await row('signed', {}))
console.log(await row('unsigned', UNSIGNED))

async function row(form: string, options: Partial<GossipsubOpts>): Promise<string> {
  const hosts = await Promise.all(Array.from({ length: LISTENERS + 1 }, () => host(options)))
  try {
    const [publisher, ...listeners] = hosts as [Host, ...Host[]]
    return await measure(form, publisher, listeners)
  } finally {
    await Promise.all(hosts.map((each) => each.stop()))
  }
}

async function host(options: Partial<GossipsubOpts>): Promise<Host> {
  return await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), pubsub: gossipsub(options) }
  })
}

async function measure(form: string, publisher: Host, listeners: Host[]): Promise<string> {
  const { pubsub } = publisher.services
  const milliseconds: number[] = []
  let lastHeard = performance.now()
  for (const listener of listeners) {
    listener.services.pubsub.addEventListener('message', ({ detail }) => {
      lastHeard = performance.now()
      milliseconds.push(lastHeard - Number(new TextDecoder().decode(detail.data)))
    })
    listener.services.pubsub.subscribe(TOPIC)
    await publisher.dial(listener.getMultiaddrs())
  }
  while (pubsub.getSubscribers(TOPIC).length < listeners.length) {
    await once(pubsub, 'subscription-change')
  }

  for (let i = 0; i < PACED; i++) {
    await publish()
    await wait(PACE_MS)
  }
  await heard(PACED * listeners.length)
  const latencies = milliseconds.splice(0).sort((a, b) => a - b)

  const begun = performance.now()
  const before = process.cpuUsage()
  await Promise.all(
    Array.from({ length: PUBLISHERS }, async () => {
      for (let i = 0; i < BURST / PUBLISHERS; i++) {
        await publish()
      }
    })
  )
  await heard(BURST * listeners.length)
  const { user, system } = process.cpuUsage(before)
  const count = milliseconds.length
  const perSecond = (count / listeners.length / (lastHeard - begun)) * 1000
  const lost = 1 - count / (BURST * listeners.length)
  const cells = [
    `by gossipsub alone, ${form}${lost > 0 ? `; ${(lost * 100).toFixed(2)} % lost` : ''}`,
    listeners.length,
    Math.round(perSecond).toLocaleString('en'),
    Math.round((user + system) / count),
    quantile(latencies, 0.5),
    quantile(latencies, 0.99)
  ]
  return `| ${cells.join(' | ')} |`

  /** The time it was sent at: no two are alike, since gossipsub takes a repeated message for the same. */
  async function publish(): Promise<void> {
    await pubsub.publish(TOPIC, new TextEncoder().encode(String(performance.now())))
  }

  async function heard(count: number): Promise<void> {
    while (milliseconds.length < count && performance.now() - lastHeard < LOST_AFTER_MS) {
      await wait(1)
    }
  }
}

function quantile(sorted: number[], share: number): string {
  return (sorted[Math.floor(sorted.length * share)] as number).toFixed(2)
}
