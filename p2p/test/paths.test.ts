import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkPath } from '../src/paths.ts'

const ALLOWED = [
  '/',
  '/?x=1',
  '/mcp',
  '/isek/bids',
  '/isek/messages',
  '/isek/history',
  '/agents/writer',
  '/agents/writer?stream=1&q=a%2Fb',
  '/agents/writer/.well-known/agent-card.json',
  '/v1/chat/completions',
  '/.well-known/agent-card.json',
  '/agents/caf%C3%A9',
  '/agents/a..b'
]

const REFUSED = [
  '',
  '*',
  'agents/writer',
  'http://127.0.0.1/agents/writer',
  '//agents/writer',
  '/isek/peers/x',
  '/isek/nodes',
  '/isek/messages/x',
  '/metrics',
  '/healthz',
  '/agents',
  '/mcpx',
  '/v1',
  '/v1/../isek/nodes',
  '/agents/..',
  '/agents/./writer',
  '/agents//isek',
  '/agents/%2e%2e/isek/nodes',
  '/agents/%2E./isek/nodes',
  '/agents/..%2fisek',
  '/agents/%5c..%5cisek',
  '/agents/%252e%252e/isek',
  '/agents/\\..\\isek',
  '/agents/x%00',
  '/agents/x%0d%0aHost:y',
  '/agents/x y',
  '/agents/x\r\nHost: y',
  '/agents/x#y',
  '/agents/x?y z',
  '/agents/%zz',
  '/agents/é',
  '/AGENTS/writer'
]

for (const path of ALLOWED) {
  test(`${path} may be called`, () => {
    assert.doesNotThrow(() => checkPath(path))
    const { pathname, search } = new URL(path, 'http://node')
    assert.equal(pathname + search, path, 'what is allowed is what a server makes of it')
  })
}

for (const path of REFUSED) {
  test(`${JSON.stringify(path)} may not be called`, () => {
    assert.throws(() => checkPath(path), { code: 'PathNotAllowed' })
  })
}
