"""Nodes whose sidecars are gone, in a mesh where HTTP is the last path."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from isek.trace import Trace

from tests.support.node_process import agent, ask, scripted, team
from tests.support.sidecar import PeerNode, sidecar_bundle
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(not sidecar_bundle().exists(), reason="build the sidecar: npm run build in p2p/")

FACTS = scripted({"text": "facts on {input}"})
PLACES = {
    "desk.default": [team("newsroom", "open"), team("vault", "closed"), team("safe", "choosy")],
    "library.default": [
        agent("open", FACTS),
        agent("closed", FACTS, access={"outside": {"from": "Nobody"}}),
        agent("choosy", FACTS, access={"agents": {"from": "Selected", "allow": [{"name": "boss"}]}}),
    ],
}


@pytest.fixture
async def peers(tmp_path: Path, center: str) -> AsyncIterator[dict[str, PeerNode]]:
    shared: dict[str, Any] = {"registry_url": center, "mesh_id": "default.fallback", "p2p_fallback": "HTTP"}
    peers = {
        node_id: PeerNode(tmp_path / node_id, resources, node_id=node_id, **shared)
        for node_id, resources in PLACES.items()
    }
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(peer) for peer in peers.values()))
        yield peers


async def test_agents_whose_sidecar_is_killed_are_asked_over_http_unless_they_have_to_know_who_asks(
    peers: dict[str, PeerNode],
) -> None:
    desk, library = peers["desk.default"], peers["library.default"]

    async def path_to_open() -> str:
        _, body = await ask(desk.node.url, "tea", agent="newsroom")
        [child] = Trace.model_validate(body["metadata"]["isek.io/trace"]).children
        return str(child.path)

    async def over_libp2p() -> bool:
        return await path_to_open() == "libp2p"

    await until(over_libp2p, what="the two know each other")
    await library.sidecar.kill()

    assert await path_to_open() == "http"
    for team_of_one, refusal in (
        ("vault", "closed.default is for agents of its mesh alone"),
        ("safe", "which agent of the mesh calls choosy.default can be told over libp2p alone"),
    ):
        status, body = await ask(desk.node.url, "tea", agent=team_of_one)
        assert status == 502
        assert f"; over HTTP: Forbidden: {refusal}" in body["error"]["message"]

    await library.sidecar.start_again()
    await until(over_libp2p, what="libp2p is taken again", within=60)
