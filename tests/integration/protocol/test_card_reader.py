"""Cards that are not what the registry vouches for."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web
from isek.errors import CallError
from isek.protocol.a2a_card import agent_card, signed, to_json
from isek.protocol.card_hash import hash_of_card
from isek.protocol.card_key import CardKey
from isek.protocol.card_reader import CardReader
from isek.registry import AgentRecord, NodeRecord
from isek.registry.default import DefaultRegistry
from isek.registry.memory_store import MemoryStore
from yarl import URL

from tests.support.web_server import web_server

KEY = CardKey()


def card(description: str = "Writes", key: CardKey = KEY) -> dict[str, Any]:
    content = agent_card("writer", description, ("prose",), "http://far/agents/writer")
    return to_json(signed(content, key, "http://far/.well-known/jwks.json"))


class Mesh:
    """A reader, and nodes elsewhere that tell what they are told to."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.registry = DefaultRegistry(MemoryStore())
        self.reader = CardReader(self.registry, None)
        self._stack = stack

    async def join(
        self, told: bytes | dict[str, Any], *, name: str = "far", status: int = 200, key: str = KEY.public
    ) -> None:
        async def answer(_: web.Request) -> web.Response:
            body = told if isinstance(told, bytes) else json.dumps(told).encode()
            return web.Response(body=body, status=status, content_type="application/json")

        url = URL(await self._stack.enter_async_context(web_server(answer)))
        agents = (AgentRecord(name="writer", card_hash=hash_of_card(card())),)
        record = NodeRecord(
            node_id=f"{name}.press",
            namespace="press",
            host=str(url.host),
            port=int(url.port or 0),
            card_key=key,
            agents=agents,
        )
        await self.registry.register(record)


@pytest.fixture
async def mesh() -> AsyncIterator[Mesh]:
    async with AsyncExitStack() as stack:
        mesh = Mesh(stack)
        await stack.enter_async_context(mesh.registry)
        stack.push_async_callback(mesh.reader.close)
        yield mesh


async def test_a_card_as_registered_and_signed_by_its_node_is_believed(mesh: Mesh) -> None:
    await mesh.join(card())

    assert (await mesh.reader.card("writer.press"))["description"] == "Writes"


FORGED: dict[str, tuple[Callable[[], bytes | dict[str, Any]], str]] = {
    "signed by another": (lambda: card(key=CardKey()), "not signed with the key"),
    "not signed": (lambda: card() | {"signatures": []}, "not signed with the key"),
    "leads elsewhere": (lambda: card() | {"supportedInterfaces": [{"url": "http://evil"}]}, "not signed with the key"),
    "describes another": (lambda: card("Writes better"), "another one than the node has registered"),
    "is of another agent": (lambda: card() | {"name": "reader"}, "another one than the node has registered"),
    "is a list": (lambda: b"[]", "it is no card"),
    "is no JSON": (lambda: b"\xff{", "it is no card"),
    "lacks its skills": (lambda: card() | {"skills": None}, "it is no card"),
    "is a deep pit": (lambda: b"[" * 100_000, "it is no card"),
}


@pytest.mark.parametrize("forged", FORGED)
async def test_a_forged_card_is_refused(mesh: Mesh, forged: str) -> None:
    make, why = FORGED[forged]
    await mesh.join(make())

    with pytest.raises(CallError, match=why) as caught:
        await mesh.reader.card("writer.press")

    assert caught.value.code == "CardNotTrusted"


async def test_a_card_of_a_node_without_a_key_is_refused(mesh: Mesh) -> None:
    await mesh.join(card(), key="")

    with pytest.raises(CallError, match="not signed with the key"):
        await mesh.reader.card("writer.press")


async def test_a_replica_that_has_no_card_is_passed_over(mesh: Mesh) -> None:
    await mesh.join(b"{}", name="a", status=503)
    await mesh.join(card(), name="b")

    assert (await mesh.reader.card("writer.press"))["name"] == "writer"


async def test_a_card_larger_than_any_is_not_read(mesh: Mesh) -> None:
    await mesh.join(b" " * 300_000)

    with pytest.raises(CallError, match="AnswerTooLarge"):
        await mesh.reader.card("writer.press")
