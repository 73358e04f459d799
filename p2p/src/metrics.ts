/** What the sidecar counts, in Prometheus' names and units. */

import type { Libp2p } from '@libp2p/interface'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Path } from './multiaddrs.ts'
import type { Relays } from './relays.ts'

export type Direction = 'outbound' | 'inbound'

/** The path of calls that got no answer of a peer. */
const NO_PATH = 'none'

/** Notes the end of a call, and over which path it was answered. */
export type CallEnded = (outcome: string, path?: Path) => void

export interface Metrics {
  /** Notes a call that has begun; the function it returns notes its end. */
  callStarted(direction: Direction): CallEnded
  gateAsked(answer: string): void
  expose(): Promise<Exposition>
}

/** The Prometheus text exposition and its content type. */
export interface Exposition {
  contentType: string
  body: string
}

/** Notes a connection that was refused, and why. */
export type Refused = (reason: 'PrivateNetworkKey' | 'TooManyPending' | 'TooManyOfPeer') => void

/** Connections that were refused, counted from before there is a host that has metrics. */
export function refusals(): { refused: Refused; counter: Counter } {
  const counter = new Counter({
    name: 'isek_p2p_refused_connections_total',
    help: 'Connections refused before a call came, by reason: PrivateNetworkKey (none that is accepted), TooManyPending, TooManyOfPeer.',
    labelNames: ['reason'],
    registers: []
  })
  return { refused: (reason) => counter.inc({ reason }), counter }
}

/** What tells of the process and its connections, for sidecars and relays alike. */
export function hostMetrics(libp2p: Libp2p, refusedConnections: Counter): Registry {
  const registry = new Registry()
  const registers = [registry]
  registry.registerMetric(refusedConnections)
  collectDefaultMetrics({ register: registry })
  new Gauge({
    name: 'isek_p2p_connections',
    help: 'Open connections to peers.',
    labelNames: ['direction'],
    registers,
    collect() {
      const open = libp2p.getConnections()
      for (const direction of ['inbound', 'outbound']) {
        this.set({ direction }, open.filter((connection) => connection.direction === direction).length)
      }
    }
  })
  new Gauge({
    name: 'isek_p2p_streams',
    help: 'Open streams on all connections.',
    registers,
    collect() {
      this.set(libp2p.getConnections().reduce((sum, connection) => sum + connection.streams.length, 0))
    }
  })
  return registry
}

export async function expose(registry: Registry): Promise<Exposition> {
  return { contentType: registry.contentType, body: await registry.metrics() }
}

export function createMetrics(libp2p: Libp2p, refusedConnections: Counter, relays: () => ReturnType<Relays['counts']>): Metrics {
  const registry = hostMetrics(libp2p, refusedConnections)
  const registers = [registry]
  const calls = new Counter({
    name: 'isek_p2p_calls_total',
    help: 'Calls carried, by direction, outcome (Answered, Cancelled or an error code) and path (libp2p: direct, relay, or none).',
    labelNames: ['direction', 'outcome', 'path'],
    registers
  })
  const running = new Gauge({ name: 'isek_p2p_running_calls', help: 'Calls running now.', labelNames: ['direction'], registers })
  const seconds = new Histogram({
    name: 'isek_p2p_call_duration_seconds',
    help: 'Time from a request to the end of its answer.',
    labelNames: ['direction'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    registers
  })
  const gate = new Counter({
    name: 'isek_p2p_gate_answers_total',
    help: 'Answers of the node about peers (Known, Unknown or Unavailable).',
    labelNames: ['answer'],
    registers
  })
  new Gauge({
    name: 'isek_p2p_relays',
    help: 'Relays by state: known from the file, answering, reserved (others can call through them).',
    labelNames: ['state'],
    registers,
    collect() {
      for (const [state, count] of Object.entries(relays())) {
        this.set({ state }, count)
      }
    }
  })
  return {
    callStarted(direction) {
      running.inc({ direction })
      const stopTimer = seconds.startTimer({ direction })
      return (outcome, path) => {
        stopTimer()
        running.dec({ direction })
        calls.inc({ direction, outcome, path: path ?? NO_PATH })
      }
    },
    gateAsked: (answer) => gate.inc({ answer }),
    expose: () => expose(registry)
  }
}
