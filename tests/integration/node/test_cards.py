"""Cards of real nodes: signed, cached, and verified by the official client and by other nodes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from a2a.client.card_resolver import parse_agent_card
from a2a.utils.signing import create_signature_verifier
from jwt import PyJWK
from jwt.utils import base64url_decode
from multidict import CIMultiDictProxy

from tests.support.node_process import NodeProcess, agent
from tests.support.sidecar import PeerNode, sidecar_bundle
from tests.support.waiting import until

WRITER = agent("writer", {"provider": "Echo"}, description="Writes", capabilities=["prose"])
READER = agent("reader", {"provider": "Echo"})
PLACES = {"desk.default": [WRITER], "study.default": [WRITER], "library.default": [READER]}
CARD = "/agents/writer/.well-known/agent-card.json"
KEYS = "/.well-known/jwks.json"


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory, center: str) -> AsyncIterator[dict[str, NodeProcess]]:
    folder = tmp_path_factory.mktemp("nodes")
    started = {
        node_id: NodeProcess(folder, resources, node_id=node_id, registry_url=center, mesh_id="default.cards")
        for node_id, resources in PLACES.items()
    }
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(process) for process in started.values()))
        for process in started.values():
            await knows(process, *PLACES)
        yield started


async def get(url: str, **headers: str) -> tuple[int, Any, CIMultiDictProxy[str]]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        body = await response.json() if response.content_type == "application/json" else None
        return response.status, body, response.headers


async def knows(process: NodeProcess, *node_ids: str) -> None:
    async def known() -> bool:
        _, body, _ = await get(f"{process.url}/isek/nodes")
        return {record["nodeId"] for record in body["nodes"]} == set(node_ids)

    await until(known, what=f"{process.settings.node_id} knows {node_ids}")


async def verify(card: dict[str, Any], key_set_url: str | None = None) -> None:
    """As the official client does, with the keys where the card leads to, or those of another replica."""
    protected = json.loads(base64url_decode(card["signatures"][0]["protected"]))
    _, keys, _ = await get(key_set_url or protected["jku"])
    by_id = {key["kid"]: PyJWK.from_dict(key) for key in keys["keys"]}
    create_signature_verifier(lambda kid, _: by_id[str(kid)], ["ES256"])(parse_agent_card(deepcopy(card)))


async def test_the_official_client_verifies_a_card_by_the_keys_that_it_names(nodes: dict[str, NodeProcess]) -> None:
    _, card, _ = await get(nodes["desk.default"].url + CARD)

    await verify(card)


async def test_a_card_of_one_replica_is_verified_by_the_keys_of_another(nodes: dict[str, NodeProcess]) -> None:
    """As behind a Service, which takes each request somewhere else."""
    _, card, _ = await get(nodes["desk.default"].url + CARD)

    await verify(card, nodes["study.default"].url + KEYS)


async def test_keys_of_nodes_that_host_others_are_not_published(nodes: dict[str, NodeProcess]) -> None:
    counts = {node_id: len((await get(process.url + KEYS))[1]["keys"]) for node_id, process in nodes.items()}

    assert counts == {"desk.default": 2, "study.default": 2, "library.default": 1}


async def test_the_key_of_a_replica_that_is_gone_is_published_for_a_while(tmp_path: Path, center: str) -> None:
    mesh: dict[str, Any] = {"registry_url": center, "mesh_id": "default.leaving"}
    async with NodeProcess(tmp_path, [WRITER], node_id="stays.default", **mesh) as stays:
        async with NodeProcess(tmp_path, [WRITER], node_id="goes.default", **mesh) as goes:
            await knows(stays, "stays.default", "goes.default")
            _, card, _ = await get(goes.url + CARD)
        await knows(stays, "stays.default")

        await verify(card, stays.url + KEYS)


async def test_a_card_that_the_client_has_already_is_not_sent_again(nodes: dict[str, NodeProcess]) -> None:
    _, _, first = await get(nodes["desk.default"].url + CARD)
    status, body, headers = await get(nodes["desk.default"].url + CARD, **{"If-None-Match": first["ETag"]})

    assert (status, body, headers["ETag"]) == (304, None, first["ETag"])
    assert first["Cache-Control"] == "public, max-age=60"


async def test_each_name_that_the_node_is_called_by_has_its_own_card(nodes: dict[str, NodeProcess]) -> None:
    _, card, headers = await get(nodes["desk.default"].url + CARD, Host="127.0.0.9:1")
    _, other, other_headers = await get(nodes["desk.default"].url + CARD)

    assert card["supportedInterfaces"][0]["url"] == "http://127.0.0.9:1/agents/writer"
    assert card["supportedInterfaces"] != other["supportedInterfaces"]
    assert headers["ETag"] != other_headers["ETag"]


async def test_a_node_tells_the_card_of_any_agent_in_the_mesh(nodes: dict[str, NodeProcess]) -> None:
    library = nodes["library.default"].url

    status, card, _ = await get(f"{library}/isek/cards/writer.default")
    assert (status, card["name"], card["description"]) == (200, "writer", "Writes")
    assert card["supportedInterfaces"][0]["url"] in {
        f"{nodes[node_id].url}/agents/writer" for node_id in ("desk.default", "study.default")
    }
    await verify(card)

    status, card, _ = await get(f"{library}/isek/cards/reader.default")
    assert (status, card["supportedInterfaces"][0]["url"]) == (200, f"{library}/agents/reader")

    status, body, _ = await get(f"{library}/isek/cards/nobody.default")
    assert (status, body["error"]["code"]) == (404, "AgentNotFound")


@pytest.mark.skipif(not sidecar_bundle().exists(), reason="the sidecar is not built: run `npm run build` in p2p/")
async def test_cards_are_read_over_libp2p_and_name_an_address_that_peers_can_use(tmp_path: Path, center: str) -> None:
    mesh: dict[str, Any] = {"registry_url": center, "mesh_id": "default.card-peers"}
    async with (
        PeerNode(tmp_path / "desk", [WRITER], node_id="desk.default", **mesh) as desk,
        PeerNode(tmp_path / "library", [READER], node_id="library.default", **mesh) as library,
    ):

        async def read() -> dict[str, Any] | None:
            status, card, _ = await get(f"{library.node.url}/isek/cards/writer.default")
            return card if status == 200 else None

        card = await until(read, what="the card is read", within=20)

        assert card["supportedInterfaces"][0]["url"] == f"{desk.node.url}/agents/writer"
