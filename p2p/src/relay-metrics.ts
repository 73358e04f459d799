/** What a relay counts. */

import { Counter, Gauge, type Registry } from 'prom-client'
import type { RelayServer, RelayServerInit } from './relay-server.ts'

export interface RelayCounters extends Pick<RelayServerInit, 'requested' | 'carried'> {
  register(registry: Registry, relay: RelayServer): void
}

export function relayCounters(): RelayCounters {
  const requests = new Counter({
    name: 'isek_p2p_relay_requests_total',
    help: 'Requests to reserve or to connect, by outcome (Ok, or the status of circuit relay v2 that refused it).',
    labelNames: ['kind', 'outcome'],
    registers: []
  })
  const bytes = new Counter({ name: 'isek_p2p_relay_bytes_total', help: 'Bytes carried between peers, in both directions.', registers: [] })
  return {
    requested: (kind, outcome) => requests.inc({ kind, outcome }),
    carried: (count) => bytes.inc(count),
    register(registry, relay) {
      registry.registerMetric(requests)
      registry.registerMetric(bytes)
      new Gauge({
        name: 'isek_p2p_relay_reservations',
        help: 'Peers that can be called through this relay.',
        registers: [registry],
        collect() {
          this.set(relay.reservations)
        }
      })
      new Gauge({
        name: 'isek_p2p_relay_circuits',
        help: 'Relayed connections open now.',
        registers: [registry],
        collect() {
          this.set(relay.circuits)
        }
      })
    }
  }
}
