import base64

import pytest
from isek.protocol.card_key import CardKey, jwk, public_key
from jwt import PyJWK


def test_the_public_half_is_short_and_stands_for_the_same_key_again() -> None:
    key = CardKey()

    assert len(key.public) == 44
    assert public_key(key.public).public_numbers() == key.private.public_key().public_numbers()
    assert PyJWK.from_dict(jwk(key.public)).key.public_numbers() == key.private.public_key().public_numbers()


def test_each_key_is_named_by_its_thumbprint() -> None:
    one, other = CardKey(), CardKey()

    assert jwk(one.public)["kid"] == jwk(one.public)["kid"] != jwk(other.public)["kid"]
    assert len(base64.urlsafe_b64decode(jwk(one.public)["kid"] + "=")) == 32


@pytest.mark.parametrize("text", ["", "x", "é", "A" * 44, "A" * 5000])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        jwk(text)
