"""Signed cards, as the official SDK sees them."""

import json
from typing import Any

import pytest
from a2a.client.card_resolver import parse_agent_card
from a2a.utils.signing import create_signature_verifier
from isek.protocol.a2a_card import agent_card, holds, signed, to_json
from isek.protocol.card_hash import hash_of_card
from isek.protocol.card_key import CardKey, jwk
from jwt import PyJWK

KEY = CardKey()
KEY_SET = "http://node/.well-known/jwks.json"


def card(description: str = "Schreibt schöne Texte ☕", key: CardKey = KEY) -> dict[str, Any]:
    content = agent_card("writer", description, ("prose",), "http://node/agents/writer")
    told: dict[str, Any] = json.loads(json.dumps(to_json(signed(content, key, KEY_SET))))
    return told


def test_the_official_verifier_is_led_to_the_key_and_finds_the_signature_good() -> None:
    led_to = []

    def key_of(kid: str | None, key_set_url: str | None) -> PyJWK:
        led_to.append((kid, key_set_url))
        return PyJWK.from_dict(jwk(KEY.public))

    create_signature_verifier(key_of, ["ES256"])(parse_agent_card(card()))

    assert led_to == [(jwk(KEY.public)["kid"], KEY_SET)]


def test_a_signature_holds_with_the_key_that_made_it_and_no_other() -> None:
    assert holds(card(), KEY.public)
    assert not holds(card(), CardKey().public)
    assert not holds(card(), "")


@pytest.mark.parametrize(
    "change",
    [
        {"description": "Writes ugly texts"},
        {"version": "9"},
        {"supportedInterfaces": [{"url": "http://elsewhere", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]},
        {"signatures": []},
        {"signatures": [{"protected": "", "signature": ""}]},
        {"signatures": [{"protected": "bm90IGpzb24", "signature": "é"}]},
        {"signatures": "none"},
        {"skills": 7},
        {"capabilities": {"extensions": [{"params": json.loads("[" * 200 + "]" * 200)}]}},
    ],
)
def test_no_signature_holds_for_a_card_that_was_changed(change: dict[str, Any]) -> None:
    assert not holds(card() | change, KEY.public)


def test_a_signature_by_a_shared_secret_is_none() -> None:
    """The public key, taken as the secret of an HMAC: the classic confusion of algorithms."""
    protected = "eyJhbGciOiJIUzI1NiJ9"

    assert not holds(card() | {"signatures": [{"protected": protected, "signature": "AAAA"}]}, KEY.public)


def test_the_hash_is_that_of_what_the_agent_is_not_of_where_it_answers() -> None:
    elsewhere = to_json(agent_card("writer", "Schreibt schöne Texte ☕", ("prose",), "https://elsewhere"))

    assert hash_of_card(elsewhere) == hash_of_card(card())
    assert hash_of_card(card("another")) != hash_of_card(card())
