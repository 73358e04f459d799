"""What the chat page knows of nodes, and hears from them."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from isek.processes.ports import free_port
from isek_ui.nodes import Agent, Nodes, TalkError

from tests.support.node_process import NodeProcess, agent, scripted, team
from tests.support.web_server import web_server

LONG = "long " * 60_000
GONE = free_port()
NOBODY = f"http://127.0.0.1:{GONE}"


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeProcess]:
    resources = [
        agent("echo", {"provider": "Echo"}, description="Says it again"),
        agent("broken", scripted({"error": "out of order"})),
        team("desk", "echo", "echo"),
    ]
    async with NodeProcess(tmp_path_factory.mktemp("node"), resources) as process:
        yield process


async def heard(nodes: Nodes, address: str, message: str = "hello") -> list[dict[str, Any]]:
    said = [{"role": "user", "content": message}]
    return [chunk async for chunk in nodes.answer(address, said, "conversation")]


def text_of(chunks: list[dict[str, Any]]) -> str:
    return "".join(each["delta"].get("content") or "" for chunk in chunks for each in chunk["choices"])


async def test_all_agents_and_teams_of_the_mesh_are_known_by_asking_any_node(node: NodeProcess) -> None:
    agents = await Nodes([NOBODY, node.url]).agents()

    assert [each.address for each in agents] == ["broken.default", "desk.default", "echo.default"]
    assert agents[2] == Agent("echo.default", "Agent", "Says it again")


async def test_nodes_of_namespaces_that_cannot_be_reached_are_left_out(node: NodeProcess) -> None:
    assert await Nodes([node.url], "elsewhere").agents() == []
    assert len(await Nodes([node.url], "default").agents()) == 3


async def test_an_answer_comes_with_its_steps(node: NodeProcess) -> None:
    chunks = await heard(Nodes([node.url]), "desk.default")

    steps = [chunk["isek"] for chunk in chunks if "step" in chunk.get("isek", {})]
    assert text_of(chunks) == "hello"
    assert [(each["agent"], each["by"]) for each in steps if each["step"] == "AskStarted"] == [("echo", "desk")] * 2


async def test_an_event_may_be_of_any_length(node: NodeProcess) -> None:
    assert text_of(await heard(Nodes([node.url]), "echo.default", LONG)) == LONG


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("broken.default", "ModelError: out of order"),
        ("nobody.default", "nobody is called nobody.default any more"),
        ("echo.elsewhere", "nobody is called echo.elsewhere any more"),
    ],
)
async def test_what_goes_wrong_is_said_for_people(node: NodeProcess, address: str, complaint: str) -> None:
    with pytest.raises(TalkError, match=complaint):
        await heard(Nodes([node.url]), address)


async def test_without_a_node_that_answers_it_says_which_were_asked() -> None:
    with pytest.raises(TalkError, match=f"none of the nodes answers: {NOBODY}"):
        await Nodes([NOBODY]).agents()


async def test_a_node_that_is_gone_is_passed_over_for_another_of_the_agent(node: NodeProcess) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{node.url}/isek/nodes") as response:
        known = await response.json()
    known["nodes"] += [{**known["nodes"][0], "nodeId": f"gone-{number}", "port": GONE} for number in range(5)]

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(known)

    async with web_server(answer) as url:
        assert text_of(await heard(Nodes([url]), "echo.default")) == "hello"
