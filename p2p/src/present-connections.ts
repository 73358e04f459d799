/** What the transport through relays sees of the connections to relays: none that new calls are not to go out over. */

import { type Connection, isPeerId, type PeerId } from '@libp2p/interface'
import type { ConnectionManager } from '@libp2p/interface-internal'

/**
 * The components of a libp2p host, with a connection manager that passes over former connections.
 *
 * libp2p's own would hand out the oldest one to reserve and to call over, as long as anything runs on it.
 */
export function withoutFormer<Components extends { connectionManager: ConnectionManager }>(
  components: Components,
  isFormer: (connection: Connection) => boolean
): Components {
  const manager = components.connectionManager
  const getConnections = (peer?: PeerId) => manager.getConnections(peer).filter((connection) => !isFormer(connection))
  const openConnection: ConnectionManager['openConnection'] = async (target, options) => {
    if (!isPeerId(target)) {
      return await manager.openConnection(target, options)
    }
    const open = getConnections(target).find(({ status, limits }) => status === 'open' && limits === undefined)
    return open ?? (await manager.openConnection(target, { ...options, force: true }))
  }
  return overlaid(components, { connectionManager: overlaid(manager, { getConnections, openConnection }) } as Partial<Components>)
}

/** Both are classes or proxies of libp2p, of which a copy would have nothing. */
function overlaid<T extends object>(object: T, over: Partial<T>): T {
  return new Proxy(object, { get: (target, name) => Reflect.get(name in over ? over : target, name) })
}
