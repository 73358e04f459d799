/** The whole relay: carries connections between peers that cannot reach each other, and nothing else. */

import type { Libp2p } from '@libp2p/interface'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { createLibp2p } from 'libp2p'
import { createHealth } from './health.ts'
import { readIdentity } from './identity.ts'
import { hostOptions, listenAddresses } from './libp2p.ts'
import { listen, naming } from './listen.ts'
import type { Log } from './log.ts'
import { expose, hostMetrics, refusals } from './metrics.ts'
import { loadNetworkKeys } from './network-keys.ts'
import { createPrivateNetwork } from './private-network.ts'
import { MAX_CONNECTIONS } from './relay-limits.ts'
import { relayCounters } from './relay-metrics.ts'
import { type RelayServer, relayServer } from './relay-server.ts'
import type { RelaySettings } from './settings.ts'

export interface Relay {
  peerId: string
  /** Where it listens, with `/p2p/<peer id>` at the end. */
  addresses: string[]
  health: string
  /** Refuses new connections and closes the open ones. */
  stop(): Promise<void>
}

/** @throws StartError */
export async function startRelay(settings: RelaySettings, log: Log): Promise<Relay> {
  const privateKey = await readIdentity(settings.identityFile)
  const { refused, counter } = refusals()
  const keyFile = settings.privateNetworkKeyFile
  const network = keyFile === undefined ? undefined : createPrivateNetwork(await loadNetworkKeys(keyFile, log), refused)
  if (network === undefined) {
    log.warning('no private network: set ISEK_P2P_PRIVATE_NETWORK_KEY_FILE so that only holders of its key can use this relay')
  }

  let stopping = false
  const counters = relayCounters()
  const common = hostOptions(
    { privateKey, protector: network?.protector, refuseConnections: () => stopping, refused },
    (peer) => libp2p.getConnections(peer).length
  )
  const libp2p: Libp2p<{ ping: Ping; relay: RelayServer }> = await createLibp2p({
    ...common,
    addresses: {
      listen: [
        ...listenAddresses(settings.listenHost, `tcp/${settings.listenPort}`),
        ...listenAddresses(settings.listenHost, `tcp/${settings.webSocketPort}/ws`)
      ],
      announce: settings.announce.map((address) => address.toString())
    },
    transports: [tcp(), webSockets()],
    connectionManager: { ...common.connectionManager, maxConnections: MAX_CONNECTIONS },
    // by the time of a ping its peers choose among relays: each of them may send one while another is on its way
    services: { ping: ping({ maxInboundStreams: 4 }), relay: relayServer({ ...counters, accepts: network?.accepts ?? (() => true) }) }
  })
  network?.retire(libp2p, { isToGo: (connection) => !network.accepts(connection) }) // which key to dial with is for its peers to choose
  const metrics = hostMetrics(libp2p, counter)
  counters.register(metrics, libp2p.services.relay)

  await naming('ISEK_P2P_LISTEN_PORT or ISEK_P2P_WEBSOCKET_PORT', async () => libp2p.start())
  const health = createHealth({ ready: () => libp2p.status === 'started' && !stopping, expose: () => expose(metrics) })
  const relay = {
    peerId: libp2p.peerId.toString(),
    addresses: libp2p.services.relay.listening.map((address) => `${address}/p2p/${libp2p.peerId}`),
    health: await listen('ISEK_P2P_HEALTH_PORT', health, settings.healthPort, settings.healthHost)
  }
  log.info('relaying', { peer_id: relay.peerId, addresses: relay.addresses.join(' '), health: relay.health })

  return {
    ...relay,
    async stop() {
      stopping = true
      log.info('stopping')
      network?.stop()
      await libp2p.stop()
      health.close()
      health.closeAllConnections()
      log.info('stopped')
    }
  }
}
