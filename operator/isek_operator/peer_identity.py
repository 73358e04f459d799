"""Identities of libp2p peers: an Ed25519 key, and the peer id that follows from it. No I/O.

(https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md)
"""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

# fields Type (1: Ed25519) and Data, with the length of the key, of the messages PrivateKey and PublicKey
_PRIVATE_KEY, _PUBLIC_KEY = b"\x08\x01\x12\x40", b"\x08\x01\x12\x20"
_IDENTITY_MULTIHASH = b"\x00\x24"
"""Hash function "identity", and the length of a public key as a message."""
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True)
class PeerIdentity:
    """Who a peer is."""

    peer_id: str
    private_key: bytes = field(repr=False)
    """As the message PrivateKey."""

    @classmethod
    def new(cls) -> "PeerIdentity":
        """One that nobody else has."""
        key = Ed25519PrivateKey.generate()
        seed = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return cls(_base58(_IDENTITY_MULTIHASH + _PUBLIC_KEY + public), _PRIVATE_KEY + seed + public)


def _base58(data: bytes) -> str:
    """Base 58 as Bitcoin has it: a leading zero byte is a leading "1"."""
    number, digits = int.from_bytes(data), ""
    while number:
        number, digit = divmod(number, 58)
        digits = _BASE58[digit] + digits
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + digits
