"""Several nodes that find each other and ask each other, over HTTP and over libp2p."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from isek.trace import Trace

from tests.support.control_plane_etcd import EtcdServer
from tests.support.node_process import NodeProcess, agent, ask, scripted, team
from tests.support.sidecar import PeerNode, sidecar_bundle
from tests.support.waiting import until

RESEARCHER = agent("researcher", scripted({"text": "facts on {input}"}), capabilities=["web-research"])
WRITER = agent("writer", scripted({"text": "a text from {input}"}))
NEWSROOM = team("newsroom", "researcher", "writer")
EDITOR = agent(
    "editor",
    scripted({"toolCalls": [{"name": "newsroom", "arguments": {"message": "tea"}}]}, {"text": "printed"}),
    tools=[{"agent": {"name": "newsroom"}}],
)
PLACES = {"desk.default": [NEWSROOM, EDITOR], "library.default": [RESEARCHER], "study.default": [WRITER]}


@asynccontextmanager
async def nodes(folder: Path, **settings: Any) -> AsyncIterator[dict[str, NodeProcess]]:
    """A node for each place, all of them registered."""
    processes = {
        node_id: NodeProcess(folder, resources, node_id=node_id, **settings) for node_id, resources in PLACES.items()
    }
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(process) for process in processes.values()))
        yield processes


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory, center: str) -> AsyncIterator[dict[str, NodeProcess]]:
    async with nodes(tmp_path_factory.mktemp("running"), registry_url=center) as processes:
        yield processes


def trace_of(body: dict[str, Any]) -> Trace:
    return Trace.model_validate(body["metadata"]["isek.io/trace"])


async def the_team_answers(desk: NodeProcess) -> None:
    status, body = await ask(desk.url, "tea", agent="newsroom")

    assert (status, body["response"]) == (200, "a text from facts on tea")
    assert [(child.agent, child.node, child.path) for child in trace_of(body).children] == [
        ("researcher.default", "library.default", "http"),
        ("writer.default", "study.default", "http"),
    ]


async def test_a_team_asks_its_members_on_other_nodes(running: dict[str, NodeProcess]) -> None:
    await the_team_answers(running["desk.default"])


async def test_the_nodes_find_each_other_in_etcd_too(tmp_path: Path, etcd_server: EtcdServer) -> None:
    async with nodes(tmp_path, registry_url=f"etcd://{etcd_server.endpoints[0]}") as running:
        await the_team_answers(running["desk.default"])


async def test_an_agent_asks_a_team_that_asks_other_nodes_and_the_trace_is_a_tree(
    running: dict[str, NodeProcess],
) -> None:
    _, body = await ask(running["desk.default"].url, "go", agent="editor")

    trace = trace_of(body)
    [asked] = trace.children
    assert (body["response"], asked.agent, asked.path) == ("printed", "newsroom.default", "local")
    assert [child.path for child in asked.children] == ["http", "http"]


async def test_each_node_knows_all_nodes_and_counts_its_peers(running: dict[str, NodeProcess]) -> None:
    async with aiohttp.ClientSession() as session:
        for process in running.values():

            async def known(url: str = process.url) -> bool:
                async with session.get(f"{url}/isek/nodes") as response:
                    return {record["nodeId"] for record in (await response.json())["nodes"]} == set(PLACES)

            await until(known, what=f"{process.settings.node_id} knows all")
            async with session.get(f"{process.url}/metrics") as response:
                metrics = await response.text()
            assert "isek_peers 2.0" in metrics
            assert "isek_registered 1.0" in metrics


async def test_a_member_whose_node_has_gone_is_named(tmp_path: Path, center: str) -> None:
    async with nodes(tmp_path, registry_url=center, mesh_id="default.leaving") as running:
        assert await running["study.default"].stop() == 0

        async def member_failed() -> dict[str, Any] | None:
            _, body = await ask(running["desk.default"].url, "tea", agent="newsroom")
            return body if "AgentNotFound" in body["error"]["message"] else None

        body = await until(member_failed, what="the writer's node is forgotten")

    assert body["error"]["code"] == "MemberFailed"
    assert "member 'writer' (2 of 2)" in body["error"]["message"]
    assert [child.error for child in trace_of(body).children] == [None, "AgentNotFound"]


@pytest.mark.skipif(not sidecar_bundle().exists(), reason="the sidecar is not built: run `npm run build` in p2p/")
async def test_over_libp2p_the_message_crosses_from_peer_to_peer(tmp_path: Path, center: str) -> None:
    async with AsyncExitStack() as stack:
        peers = {
            node_id: PeerNode(
                tmp_path / node_id, resources, node_id=node_id, registry_url=center, mesh_id="default.peers"
            )
            for node_id, resources in PLACES.items()
        }
        await asyncio.gather(*(stack.enter_async_context(peer) for peer in peers.values()))
        desk = peers["desk.default"].node

        async def asked() -> dict[str, Any] | None:
            status, body = await ask(desk.url, "tea", agent="newsroom")
            return body if status == 200 else None

        body = await until(asked, what="the team answers", within=20)
        trace = trace_of(body)
        assert body["response"] == "a text from facts on tea"
        assert [(child.node, child.path) for child in trace.children] == [
            ("library.default", "libp2p"),
            ("study.default", "libp2p"),
        ]
        ids = [trace.peer_id, *(child.peer_id for child in trace.children)]
        assert ids == [peers[node_id].peer_id for node_id in PLACES]
        assert len(set(ids)) == 3

        library = peers["library.default"].node
        assert f'path="libp2p" peerId="{trace.peer_id}"' in library.text
