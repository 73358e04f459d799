import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SidecarError } from '../src/errors.ts'
import { parsePeerAddresses } from '../src/peer-address.ts'

const ID = '12D3KooWJvyP3VJYymTqG7eH4PM5rN4T2agk5cdNCfNymAqwqcvZ'
const DIRECT = `/ip4/10.0.0.7/tcp/9000/p2p/${ID}`
const UNKNOWN = [
  `/dnsaddr/relay.example.com/p2p/${ID}/p2p-circuit/p2p/${ID}`,
  `/ip4/10.0.0.7/udp/9000/quic-v1/p2p/${ID}`,
  `/of-a-newer-version/x/p2p/${ID}`
]

for (const address of UNKNOWN) {
  test(`${address} is passed over beside an address that is known, and refused alone`, () => {
    for (const addresses of [
      [DIRECT, address],
      [address, DIRECT]
    ]) {
      const { peerId, direct, relayed } = parsePeerAddresses(addresses)

      assert.equal(peerId, ID)
      assert.deepEqual(direct.map(String), [DIRECT])
      assert.deepEqual(relayed, [])
    }
    assert.throws(() => parsePeerAddresses([address]), SidecarError)
  })
}

test('no address at all is refused', () => {
  assert.throws(() => parsePeerAddresses([]), SidecarError)
})
