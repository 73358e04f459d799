"""Nodes of Python programs: agents that were written in Python find and ask each other."""

import asyncio
import os
import socket
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from isek import CallError, CenterRegistry, EtcdRegistry, IsekAgent, IsekTeam, Node
from isek.registry import Registry
from isek.registry.default import DefaultRegistry

from tests.support.control_plane_etcd import EtcdServer
from tests.support.node_program import Saying, registry_at
from tests.support.recording_model import RecordingModel, calls
from tests.support.waiting import until


@contextmanager
def serving(*agents: Saying | IsekTeam | IsekAgent, node_id: str, registry: Registry | None = None) -> Iterator[Node]:
    node = Node(port=0, node_id=node_id, registry=registry, agents=agents)
    node.build_server(daemon=True)
    try:
        yield node
    finally:
        node.stop_server()


@asynccontextmanager
async def program(registry_url: str, *arguments: str, state: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process with a node, in the same mesh."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.node_program",
        registry_url,
        *arguments,
        stdout=PIPE,
        env=os.environ | {"XDG_STATE_HOME": str(state)},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 30)


@pytest.fixture(params=["center", "etcd"])
def registry_url(request: pytest.FixtureRequest) -> str:
    if request.param == "center":
        return str(request.getfixturevalue("center"))
    etcd: EtcdServer = request.getfixturevalue("etcd_server")
    return f"etcd://{etcd.endpoints[0]}"


def test_nodes_of_one_process_find_each_other() -> None:
    with serving(Saying("writer", "wrote"), node_id="one"), serving(Saying("editor", "edited"), node_id="two") as two:
        assert two.send_message("writer", "tea") == "wrote tea"
        assert two.send_message("writer.default", "tea") == "wrote tea"
        assert two.send_message("one", "tea") == "wrote tea"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"agents": Saying("writer", "wrote")}, r"agents must be a list, not Saying\('writer'\)"),
        ({"registry": "http://127.0.0.1:2378"}, "registry must be Registry, not 'http"),
        ({"port": "8081"}, "port must be int, not '8081'"),
    ],
    ids=lambda each: "".join(each) if isinstance(each, dict) else "",
)
def test_a_node_is_refused_what_it_cannot_serve_with(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=f"node 'one': {said}"):
        Node(node_id="one", **given)


def test_there_are_as_many_ports_as_there_are() -> None:
    with pytest.raises(ValueError, match="node 'one': port must be 0 to 65535, not 99999"):
        Node(port=99999, node_id="one")


def test_etcd_takes_a_list_of_endpoints() -> None:
    with pytest.raises(TypeError, match=r"a list such as \['127.0.0.1:2379'\]"):
        EtcdRegistry("127.0.0.1:2379")


def test_a_node_that_was_stopped_is_found_no_more_and_may_be_started_again() -> None:
    with serving(Saying("writer", "wrote"), node_id="one") as one, serving(node_id="two") as two:
        one.stop_server()
        with pytest.raises(CallError, match="AgentNotFound"):
            two.send_message("writer", "tea")
        one.build_server(daemon=True)
        assert two.send_message("writer", "tea") == "wrote tea"


def test_a_tool_that_waits_for_its_own_node_is_told_to_await() -> None:
    async def consult(question: str) -> str:
        """Ask the writer."""
        try:
            return two.send_message("writer", question)
        except RuntimeError as error:
            return f"{error}; {await two.asend_message('writer', question)}"

    model = RecordingModel(calls(("consult", '{"question": "tea"}')), "done")
    with (
        serving(Saying("writer", "wrote"), node_id="one"),
        serving(IsekAgent("asker", model=model, tools=[consult]), node_id="two") as two,
    ):
        assert two.send_message("asker", "go") == "done"
    assert model.conversations[-1][-1].content.endswith("await asend_message() instead; wrote tea")


@pytest.mark.parametrize("p2p", [False, True], ids=["http", "libp2p"])
async def test_two_processes_ask_each_other(
    registry_url: str, p2p: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))  # both take the key of the same user
    near = Node(
        port=0, node_id="near", p2p=p2p, registry=registry_at(registry_url), agents=[Saying("editor", "edited")]
    )
    async with program(registry_url, *(["p2p"] if p2p else []), state=tmp_path) as far:
        await asyncio.to_thread(near.build_server, daemon=True)
        try:
            answers = await until(
                lambda: said_by_all(near), what="the far agents answer", within=60, retry_on=(CallError,)
            )
            nodes = await nodes_known_to(near)
        finally:
            await asyncio.to_thread(near.stop_server)
        far.terminate()
        output, _ = await far.communicate()

    assert answers == ("wrote tea", "edited wrote tea", "edited this")
    assert {node["nodeId"]: "p2pAddress" in node for node in nodes} == {"near": p2p, "far": p2p}
    assert output == b"stopped\n"  # by SIGTERM, in an orderly way


async def said_by_all(near: Node) -> tuple[str, ...]:
    """What agents answer that live elsewhere: one alone, a team with a member here, and one that hands over to here."""
    return (
        await near.asend_message("writer", "tea"),
        await near.asend_message("desk", "tea"),
        await near.asend_message("clerk", "tea"),
    )


async def nodes_known_to(node: Node) -> list[dict[str, str]]:
    async with aiohttp.ClientSession() as session, session.get(f"{node.url}/isek/nodes") as response:
        nodes: list[dict[str, str]] = (await response.json())["nodes"]
        return nodes


def test_a_registry_that_is_not_there_is_said() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        node = Node(port=0, registry=CenterRegistry(f"http://127.0.0.1:{closed.getsockname()[1]}"))
        with pytest.raises(CallError, match="NotReady"):
            node.build_server(daemon=True, within=1)
    with pytest.raises(RuntimeError, match="does not serve"):
        node.send_message("writer", "tea")


def test_a_port_in_use_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        Node(port=taken.getsockname()[1]).build_server(daemon=True)


@pytest.mark.parametrize(
    ("node_id", "names", "said"),
    [("a/b", [], "node id"), ("a", ["My Agent"], "cannot stand in an address"), ("a", ["x", "x"], "rename one")],
)
def test_names_that_lead_nowhere_are_refused(node_id: str, names: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Node(node_id=node_id, agents=[Saying(name, "") for name in names])


def test_an_address_needs_a_mesh() -> None:
    result = IsekTeam(["editor"]).run("tea")

    assert result.failed
    assert "'editor' is an address in a mesh, and this run is in none" in result.errors[0].message


def test_a_program_that_ends_leaves_its_mesh() -> None:
    program = """
from isek import Node
node = Node(port=0)
node.build_server(daemon=True)
print("served")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "served\n", "")


def test_the_model_of_a_hosted_agent_is_told_the_message() -> None:
    model = RecordingModel("tea it is")
    with serving(IsekAgent("waiter", model=model), node_id="one", registry=DefaultRegistry()) as node:
        assert node.send_message("waiter", "tea?") == "tea it is"
    assert model.conversations[0][-1].content == "tea?"
