/** The whole sidecar: its parts made, started in order and stopped in order. */

import { join } from 'node:path'
import { createCallLimits } from './call-limits.ts'
import { createCalls } from './calls.ts'
import { createDialBack } from './dial-back.ts'
import { createDialer } from './dialer.ts'
import { createGate } from './gate.ts'
import { createHealth } from './health.ts'
import { loadIdentity } from './identity.ts'
import { createHost, peerAddress } from './libp2p.ts'
import { listen, naming } from './listen.ts'
import { createLocalApi } from './local-api.ts'
import type { Log } from './log.ts'
import { createMetrics, refusals } from './metrics.ts'
import { loadNetworkKeys } from './network-keys.ts'
import { createPeerCaller } from './peer-caller.ts'
import { createPeerServer } from './peer-server.ts'
import { createPrivateNetwork } from './private-network.ts'
import { createRelays } from './relays.ts'
import { createRelaysFile } from './relays-file.ts'
import type { Settings } from './settings.ts'
import { writeAtomically } from './state-file.ts'
import { createTokenCheck, loadToken } from './token.ts'

/** How long running calls may take to end after `stop`. */
const DRAIN_MS = 30_000

/** Where a running sidecar can be reached; written to `endpoints.json` for whoever let it choose its ports. */
export interface Endpoints {
  api: string
  health: string
  p2p_address: string
  peer_id: string
}

export interface Sidecar {
  endpoints: Endpoints
  /** Takes no new calls, lets the running ones end (30 s at most), then closes everything. */
  stop(): Promise<void>
}

/** @throws StartError */
export async function startSidecar(settings: Settings, log: Log): Promise<Sidecar> {
  const token = await loadToken(settings.stateDir)
  const privateKey = await loadIdentity(settings.stateDir)
  const { refused, counter } = refusals()
  const keyFile = settings.privateNetworkKeyFile
  const network = keyFile === undefined ? undefined : createPrivateNetwork(await loadNetworkKeys(keyFile, log), refused)
  if (network === undefined) {
    log.warning('no private network: set ISEK_P2P_PRIVATE_NETWORK_KEY_FILE so that only holders of its key can connect')
  }

  let refuseConnections = false
  const { libp2p, reservations, dialRelayed } = await createHost({
    privateKey,
    listenHost: settings.listenHost,
    listenPort: settings.listenPort,
    announceHost: settings.announceHost,
    protector: network?.protector,
    isFormer: network?.isFormer,
    refused,
    refuseConnections: () => refuseConnections
  })
  const readFile = settings.relaysFile === undefined ? async () => undefined : createRelaysFile(settings.relaysFile, log)
  const relays = createRelays({ libp2p, reservations, isFormer: network?.isFormer, readFile, log })
  const metrics = createMetrics(libp2p, counter, relays.counts)
  const calls = createCalls(metrics)
  const gate = createGate({ nodeUrl: settings.nodeUrl, token, asked: metrics.gateAsked })
  const dialBack = createDialBack({ libp2p, announceHost: settings.announceHost, log })
  const { nodeUrl, maxBodyBytes } = settings
  const limits = createCallLimits()
  const server = createPeerServer({ libp2p, network, gate, dialBack, nodeUrl, token, maxBodyBytes, calls, limits, log })
  const dialer = createDialer({ libp2p, dialRelayed, log, isFormer: network?.isFormer })
  const caller = createPeerCaller({ libp2p, dialer, maxBodyBytes })

  network?.retire(libp2p, { isToGo: network.isFormer, leave: caller.leave, isNeeded: relays.isReservedOver })

  await server.start()
  await naming('ISEK_P2P_LISTEN_PORT', async () => libp2p.start())
  const direct = { peer_id: libp2p.peerId.toString(), p2p_address: peerAddress(libp2p, settings.announceHost) }
  dialer.start()
  relays.start()
  const context = () => ({
    ...direct,
    p2p_addresses: [direct.p2p_address, ...relays.addresses()],
    network_keys: network?.fingerprints ?? []
  })
  const api = createLocalApi({ caller, context, isAuthorized: createTokenCheck(token), calls, log })
  const health = createHealth({ ready: () => libp2p.status === 'started' && !calls.draining, expose: metrics.expose })
  const endpoints: Endpoints = {
    api: await listen('ISEK_P2P_API_PORT', api, settings.apiPort, '127.0.0.1'),
    health: await listen('ISEK_P2P_HEALTH_PORT', health, settings.healthPort, settings.healthHost),
    ...direct
  }
  await writeAtomically(join(settings.stateDir, 'endpoints.json'), JSON.stringify(endpoints), 0o644)
  log.info('listening', { ...endpoints })

  return {
    endpoints,
    async stop() {
      refuseConnections = true
      log.info('stopping: running calls may end')
      if (!(await calls.drain(DRAIN_MS))) {
        log.warning('calls still running are cut off', { afterSeconds: DRAIN_MS / 1000 })
      }
      network?.stop()
      caller.stop()
      dialer.stop()
      server.stop()
      for (const open of [api, health]) {
        open.close()
        open.closeAllConnections()
      }
      await relays.stop()
      await libp2p.stop()
      log.info('stopped')
    }
  }
}
