/** The settings of sidecars and relays: environment variables, checked once at start. */

import { isIP } from 'node:net'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { StartError } from './errors.ts'
import type { LogFormat, LogLevel } from './log.ts'

/** How the process says what it does. */
export interface LogSettings {
  logFormat: LogFormat
  logLevel: LogLevel
}

/** Of `node p2p.mjs relay`. */
export interface RelaySettings extends LogSettings {
  /** None: all addresses, over IPv4 and IPv6. */
  listenHost: string | undefined
  /** For libp2p over TCP. 0: any free port, as for the other ports. */
  listenPort: number
  /** For libp2p over WebSockets. */
  webSocketPort: number
  /** None: all addresses. */
  healthHost: string | undefined
  healthPort: number
  /** The relay's private key in libp2p's protobuf form. */
  identityFile: string
  privateNetworkKeyFile: string | undefined
  /** At which peers reach the relay, where that is not how they have been told. */
  announce: Multiaddr[]
}

/** Of a sidecar. */
export interface Settings extends LogSettings {
  /** None: all addresses, over IPv4 and IPv6. */
  listenHost: string | undefined
  /** 0: any free port, as for the other ports. */
  listenPort: number
  /** The IP address that peers are to dial; none: taken from what libp2p listens on. */
  announceHost: string | undefined
  apiPort: number
  /** None: all addresses. */
  healthHost: string | undefined
  healthPort: number
  nodeUrl: URL
  stateDir: string
  privateNetworkKeyFile: string | undefined
  /** Relays to be reached through, one multiaddr with a peer id a line; may change. */
  relaysFile: string | undefined
  /** The largest body of a request: that of the node. */
  maxBodyBytes: number
}

type Environment = Record<string, string | undefined>

/** @throws StartError that names the variable and how to mend it */
export function readSettings(env: Environment): Settings {
  return {
    listenHost: ip(env, 'ISEK_P2P_LISTEN_HOST'),
    listenPort: port(env, 'ISEK_P2P_LISTEN_PORT', 9000),
    announceHost: ip(env, 'ISEK_P2P_ANNOUNCE_HOST'),
    apiPort: port(env, 'ISEK_P2P_API_PORT', 9001),
    healthHost: ip(env, 'ISEK_P2P_HEALTH_HOST'),
    healthPort: port(env, 'ISEK_P2P_HEALTH_PORT', 9002),
    nodeUrl: httpUrl(env, 'ISEK_P2P_NODE_URL', 'http://127.0.0.1:8080'),
    stateDir: value(env, 'ISEK_P2P_STATE_DIR') ?? '/var/run/isek/p2p',
    privateNetworkKeyFile: value(env, 'ISEK_P2P_PRIVATE_NETWORK_KEY_FILE'),
    relaysFile: value(env, 'ISEK_P2P_RELAYS_FILE'),
    maxBodyBytes: bytes(env, 'ISEK_P2P_MAX_BODY_BYTES', 16 * 1024 * 1024),
    ...readLogSettings(env)
  }
}

/** @throws StartError that names the variable and how to mend it */
export function readRelaySettings(env: Environment): RelaySettings {
  const identityFile = value(env, 'ISEK_P2P_IDENTITY_FILE')
  if (identityFile === undefined) {
    throw new StartError('ISEK_P2P_IDENTITY_FILE is not set; name a file with a libp2p private key: peers know the relay by it')
  }
  return {
    listenHost: ip(env, 'ISEK_P2P_LISTEN_HOST'),
    listenPort: port(env, 'ISEK_P2P_LISTEN_PORT', 9000),
    webSocketPort: port(env, 'ISEK_P2P_WEBSOCKET_PORT', 9003),
    healthHost: ip(env, 'ISEK_P2P_HEALTH_HOST'),
    healthPort: port(env, 'ISEK_P2P_HEALTH_PORT', 9002),
    identityFile,
    privateNetworkKeyFile: value(env, 'ISEK_P2P_PRIVATE_NETWORK_KEY_FILE'),
    announce: multiaddrs(env, 'ISEK_P2P_ANNOUNCE'),
    ...readLogSettings(env)
  }
}

function readLogSettings(env: Environment): LogSettings {
  return {
    logFormat: oneOf(env, 'ISEK_LOG_FORMAT', ['Text', 'JSON'], 'Text'),
    logLevel: oneOf(env, 'ISEK_LOG_LEVEL', ['debug', 'info', 'warning', 'error'], 'info')
  }
}

function value(env: Environment, name: string): string | undefined {
  return env[name]?.trim() || undefined
}

function port(env: Environment, name: string, fallback: number): number {
  const text = value(env, name) ?? String(fallback)
  const number = Number(text)
  if (!/^\d+$/.test(text) || number > 65535) {
    throw new StartError(`${name} is ${quote(text)}; set it to a port from 0 (any free one) to 65535`)
  }
  return number
}

function bytes(env: Environment, name: string, fallback: number): number {
  const text = value(env, name) ?? String(fallback)
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw new StartError(`${name} is ${quote(text)}; set it to a number of bytes, for example ${fallback}`)
  }
  return Number(text)
}

function ip(env: Environment, name: string): string | undefined {
  const text = value(env, name)
  if (text !== undefined && isIP(text) === 0) {
    throw new StartError(`${name} is ${quote(text)}; set it to an IP address, for example 127.0.0.1`)
  }
  return text
}

function httpUrl(env: Environment, name: string, fallback: string): URL {
  const text = value(env, name) ?? fallback
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' || url.pathname !== '/' || url.search !== '' || url.username !== '') {
    throw new StartError(`${name} is ${quote(text)}; set it to http://HOST:PORT, for example http://127.0.0.1:8080`)
  }
  return url
}

/** Several, with blanks or commas between. */
function multiaddrs(env: Environment, name: string): Multiaddr[] {
  const texts = (value(env, name) ?? '').split(/[\s,]+/).filter((text) => text !== '')
  return texts.map((text) => {
    try {
      return multiaddr(text)
    } catch {
      throw new StartError(`${name} has ${quote(text)}; give multiaddrs, for example /dns4/relay.example.com/tcp/443/wss`)
    }
  })
}

function oneOf<T extends string>(env: Environment, name: string, choices: readonly T[], fallback: T): T {
  const text = value(env, name) ?? fallback
  const found = choices.find((choice) => choice.toLowerCase() === text.toLowerCase())
  if (found === undefined) {
    throw new StartError(`${name} is ${quote(text)}; set it to one of ${choices.join(', ')}`)
  }
  return found
}

function quote(text: string): string {
  return JSON.stringify(text)
}
