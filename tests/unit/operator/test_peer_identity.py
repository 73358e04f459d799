from cryptography.hazmat.primitives.asymmetric import ed25519
from isek_operator.peer_identity import PeerIdentity

FROM_THE_SPECIFICATION = bytes.fromhex(
    "080112407e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cac"
    "f6010f0e42d474fce27e"
)
"""An Ed25519 private key of the specification's test vectors (libp2p/specs, peer-ids)."""


def test_a_private_key_is_written_as_the_specification_has_it() -> None:
    key = PeerIdentity.new().private_key

    assert len(key) == len(FROM_THE_SPECIFICATION)
    assert key[:4] == FROM_THE_SPECIFICATION[:4]
    seed, public = key[4:36], key[36:]
    assert ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw() == public


def test_each_identity_is_another_one_and_named_by_its_key() -> None:
    first, second = PeerIdentity.new(), PeerIdentity.new()

    assert first.peer_id != second.peer_id
    assert first.peer_id.startswith("12D3KooW")
    assert len(first.peer_id) == 52


def test_an_identity_is_not_shown_with_its_key() -> None:
    identity = PeerIdentity.new()

    assert identity.private_key.hex() not in repr(identity)
    assert repr(identity.private_key) not in repr(identity)
