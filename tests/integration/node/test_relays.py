"""Nodes whose sidecars cannot dial each other."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from isek.processes.network_key import new_private_network_key

from tests.support.node_process import agent, ask, scripted, team
from tests.support.relay import RelayProcess
from tests.support.sidecar import PeerNode, sidecar_bundle
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(not sidecar_bundle().exists(), reason="build the sidecar: npm run build in p2p/")

NOWHERE = "127.1.2.3"
"""An address at which nobody listens."""
NOTICED_SECONDS = 40


@dataclass
class Apart:
    """Two nodes, and the relays between them."""

    near: PeerNode
    far: PeerNode
    relays: list[RelayProcess]

    async def ask(self) -> tuple[int, dict[str, Any]]:
        return await ask(self.near.node.url, "hello", agent="desk", headers={"Isek-Timeout-Ms": "10000"})

    async def through(self) -> set[str]:
        """The relays at which the far node can be called, as its mesh knows."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.near.node.url}/isek/nodes") as answer,
        ):
            nodes = (await answer.json())["nodes"]
        [far] = [each for each in nodes if each["nodeId"] == "far.default"]
        return {address.split("/")[6] for address in far.get("p2pAddresses", ())}

    async def until_through(self, *relays: RelayProcess) -> None:
        async def known() -> bool:
            return await self.through() == {relay.peer_id for relay in relays}

        await until(known, what=f"the far node is known at {len(relays)} relays", within=NOTICED_SECONDS)


@pytest.fixture
async def apart(tmp_path: Path, center: str) -> AsyncIterator[Apart]:
    key = tmp_path / "private-network.key"
    key.write_text(new_private_network_key())
    async with AsyncExitStack() as stack:
        relays = [
            await stack.enter_async_context(RelayProcess(tmp_path / name, private_network_key=key))
            for name in ("relay-0", "relay-1")
        ]
        file = tmp_path / "relays"
        file.write_text("".join(f"{relay.address}\n" for relay in relays))

        async def node(name: str, *resources: dict[str, Any]) -> PeerNode:
            peer = PeerNode(
                tmp_path / name,
                resources,
                private_network_key=key,
                sidecar_environment={"ISEK_P2P_RELAYS_FILE": str(file), "ISEK_P2P_ANNOUNCE_HOST": NOWHERE},
                node_id=f"{name}.default",
                registry_url=center,
                mesh_id=f"default.{tmp_path.name}",
            )
            return await stack.enter_async_context(peer)

        near = await node("near", team("desk", "writer"))
        far = await node("far", agent("writer", scripted({"text": "wrote about {input}"})))
        nodes = Apart(near, far, relays)
        await nodes.until_through(*relays)
        yield nodes


def way(answer: dict[str, Any]) -> str:
    [asked] = answer["metadata"]["isek.io/trace"]["children"]
    return str(asked["path"])


async def test_a_question_goes_through_a_relay_and_its_trace_and_the_metrics_say_so(apart: Apart) -> None:
    status, answer = await apart.ask()

    assert (status, answer["response"], way(answer)) == (200, "wrote about hello", "relay")
    async with aiohttp.ClientSession() as http, http.get(f"{apart.near.node.url}/metrics") as metrics:
        assert 'isek_calls_total{outcome="OK",path="relay"} 1.0' in await metrics.text()
    assert any('path="relay"' in line for line in apart.far.node.log), "the far node knows it too"


async def test_killed_relays_are_done_without_as_long_as_one_is_there_and_used_again_when_they_are_back(
    apart: Apart,
) -> None:
    one, other = apart.relays
    await apart.ask()

    await one.kill()
    status, answer = await apart.ask()
    assert (status, way(answer)) == (200, "relay")
    await apart.until_through(other)

    await other.kill()
    await apart.until_through()
    status, answer = await apart.ask()
    assert status == 502
    assert "ECONNREFUSED" in answer["error"]["message"]

    async with one:
        await apart.until_through(one)
        status, answer = await apart.ask()
        assert (status, way(answer)) == (200, "relay")
