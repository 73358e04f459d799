/** Which paths of a node may be called over libp2p; both sides check. */

import { SidecarError } from './errors.ts'

const EXACT = new Set(['/', '/mcp', '/mcp/', '/isek/bids', '/isek/messages', '/isek/history'])
const PREFIXES = ['/agents/', '/v1/', '/.well-known/']

/** RFC 3986 path characters. Escapes are allowed but for those that could turn into a separator or a dot later on. */
const PATH = /^(?:\/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%(?!2[ef5]|5c|[01][0-9a-f]|7f)[0-9a-f]{2})*)+$/i
const QUERY = /^[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*$/
const DOT_OR_EMPTY_SEGMENT = /\/(?:\.{1,2})?(?=\/)|\/\.{1,2}$/

/**
 * Checks a request target in origin form (RFC 9112, 3.2.1): a path with an optional query.
 *
 * Nothing is normalised: what a server could normalise to another path is refused, so that
 * what was checked is what the node gets.
 *
 * @throws SidecarError PathNotAllowed
 */
export function checkPath(target: string): void {
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  const query = mark === -1 ? '' : target.slice(mark + 1)
  const allowed = EXACT.has(path) || PREFIXES.some((prefix) => path.startsWith(prefix))
  if (!allowed || !PATH.test(path) || !QUERY.test(query) || DOT_OR_EMPTY_SEGMENT.test(path)) {
    throw new SidecarError(
      'PathNotAllowed',
      `path ${JSON.stringify(target.slice(0, 200))} may not be called over libp2p`,
      'call /, /agents/..., /v1/..., /mcp or /.well-known/... without dot segments or encoded separators'
    )
  }
}
