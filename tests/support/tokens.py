"""JSON Web Tokens of an issuer that is made up for a test, and its keys."""

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://issuer.test", "isek"


class Issuer:
    """Signs tokens. Its keys are called by what they are given as."""

    def __init__(self, *key_ids: str) -> None:
        self._keys = {key_id: ec.generate_private_key(ec.SECP256R1()) for key_id in key_ids}

    def key_set(self, *key_ids: str) -> str:
        """The public keys, all or these, as a JSON Web Key Set."""
        keys = [
            {**json.loads(ECAlgorithm.to_jwk(self._keys[key_id].public_key())), "kid": key_id}
            for key_id in key_ids or self._keys
        ]
        return json.dumps({"keys": keys})

    def token(self, key_id: str | None = None, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token that does, but for ``claims``; a claim that is None is left out."""
        key_id = key_id or next(iter(self._keys))
        said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": int(time.time()) + 300, **claims}
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(said, self._keys[key_id], algorithm="ES256", headers={"kid": key_id, **(header or {})})


def rsa_key_set() -> tuple[rsa.RSAPrivateKey, str]:
    """A key without ``alg`` and ``kid``, as some issuers publish it, and the set that it is alone in."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key, json.dumps({"keys": [json.loads(RSAAlgorithm.to_jwk(key.public_key()))]})
