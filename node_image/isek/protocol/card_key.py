"""The key with which a node signs the cards of its agents (JWS with ES256: RFC 7515, RFC 7518)."""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ALGORITHM = "ES256"


class CardKey:
    """A key pair of one process: the private half never leaves it, the public one stands in the node's record."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.public = _encoded(self.private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
        """The compressed point, as base64url: 44 characters."""


def public_key(public: str) -> ec.EllipticCurvePublicKey:
    """The key that ``CardKey.public`` stands for.

    Raises:
        ValueError: it stands for none.
    """
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _decoded(public))


def jwk(public: str) -> dict[str, str]:
    """The public key as a JSON Web Key; its ``kid`` is its thumbprint (RFC 7517, RFC 7638).

    Raises:
        ValueError: it is none.
    """
    point = public_key(public).public_numbers()
    key = {"crv": "P-256", "kty": "EC", "x": _encoded(point.x.to_bytes(32)), "y": _encoded(point.y.to_bytes(32))}
    thumbprint = hashlib.sha256(json.dumps(key, separators=(",", ":")).encode()).digest()
    return {**key, "kid": _encoded(thumbprint), "alg": ALGORITHM, "use": "sig"}


def _encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
