"""Teams of all modes on real nodes, with leaders that follow scripts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from isek.trace import Trace

from tests.support.node_process import NodeProcess, agent, ask, scripted, team
from tests.support.openai_server import OpenAIServer
from tests.support.waiting import until

RAIN = agent("rain", scripted({"text": "rain on {input}"}), description="Knows about rain")
WIND = agent("wind", scripted({"text": "wind on {input}"}), description="Knows about wind")
BROKEN = agent("broken", scripted({"error": "no mind today"}))
PLAN = {"assignments": [{"member": "rain", "request": "Monday"}, {"member": "wind", "request": "Tuesday"}]}
COORDINATE = scripted({"output": PLAN}, {"text": "merged: {input}"})
ROUTE = scripted({"output": {"member": "wind"}})
COLLABORATE = scripted({"text": "merged: {input}"})
ADAPTIVE = scripted(
    {"when": "rain answered", "output": {"finished": True}},
    {"when": "wind answered", "output": {"member": "rain", "request": "Monday"}},
    {"output": {"member": "wind", "request": "Tuesday"}},
    {"text": "merged: {input}"},
)
BOTH = "rain answered:\nrain on Monday\n\nwind answered:\nwind on Tuesday"


def led(mode: str, model: dict[str, Any], *members: str, **spec: Any) -> dict[str, Any]:
    return team(mode.lower(), *(members or ("rain", "wind")), mode=mode, model=model, **spec)


TEAMS = [
    led("Coordinate", COORDINATE),
    led("Route", ROUTE),
    led("Collaborate", COLLABORATE),
    led("Adaptive", ADAPTIVE),
    team("sequential", "rain", "wind"),
    team("strict", "broken", "wind", retries={"attempts": 0}),
    team("lenient", "broken", "wind", onMemberFailure="Continue"),
]


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory, center: str) -> AsyncIterator[dict[str, NodeProcess]]:
    """The members live on another node than the teams."""
    folder = tmp_path_factory.mktemp("teams")
    settings: dict[str, Any] = {"registry_url": center, "mesh_id": "default.teams"}
    places = {"desk.default": TEAMS, "field.default": [RAIN, WIND, BROKEN]}
    async with AsyncExitStack() as stack:
        yield {
            node_id: await stack.enter_async_context(NodeProcess(folder, resources, node_id=node_id, **settings))
            for node_id, resources in places.items()
        }


@pytest.mark.parametrize(
    ("name", "answer", "asked"),
    [
        ("sequential", "wind on rain on Monday", ["rain.default", "wind.default"]),
        ("coordinate", f"merged: Monday\n\n{BOTH}", ["rain.default", "wind.default"]),
        ("route", "wind on Monday", ["wind.default"]),
        (
            "collaborate",
            "merged: Monday\n\nrain answered:\nrain on Monday\n\nwind answered:\nwind on Monday",
            ["rain.default", "wind.default"],
        ),
        (
            "adaptive",
            "merged: Monday\n\nwind answered:\nwind on Tuesday\n\nrain answered:\nrain on Monday",
            ["wind.default", "rain.default"],
        ),
    ],
)
async def test_a_team_works_in_its_mode(
    running: dict[str, NodeProcess], name: str, answer: str, asked: list[str]
) -> None:
    status, body = await ask(running["desk.default"].url, "Monday", agent=name)

    assert (status, body["response"]) == (200, answer)
    children = trace_of(body).children
    assert sorted(child.agent for child in children) == sorted(asked)
    assert {(child.node, child.path, child.error) for child in children} == {("field.default", "http", None)}


async def test_a_member_that_fails_ends_the_run_or_does_not(running: dict[str, NodeProcess]) -> None:
    _, strict = await ask(running["desk.default"].url, "Monday", agent="strict")
    _, lenient = await ask(running["desk.default"].url, "Monday", agent="lenient")

    assert strict["error"]["code"] == "MemberFailed"
    assert "member 'broken' (1 of 2) failed" in strict["error"]["message"]
    assert lenient["response"] == "wind on Monday"


async def test_the_calls_of_a_leaders_model_are_counted(running: dict[str, NodeProcess]) -> None:
    await ask(running["desk.default"].url, "Monday", agent="route")

    async with aiohttp.ClientSession() as session, session.get(f"{running['desk.default'].url}/metrics") as response:
        assert 'isek_model_calls_total{agent="route",outcome="OK"}' in await response.text()


async def test_a_leader_learns_what_members_on_other_nodes_are_good_for(
    running: dict[str, NodeProcess], center: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    choosing = {"provider": "OpenAI", "name": "leader"}
    async with OpenAIServer({"leader": [{"text": '{"member": "rain"}'}]}) as openai:
        weather = team(
            "weather", "rain", "wind", mode="Route", model={**choosing, "baseURL": openai.url}, instructions="Be quick."
        )
        here: dict[str, Any] = {"node_id": "hill.default", "registry_url": center, "mesh_id": "default.teams"}
        async with NodeProcess(tmp_path_factory.mktemp("hill"), [weather], **here) as hill:

            async def knows_all() -> bool:
                async with aiohttp.ClientSession() as session, session.get(f"{hill.url}/isek/nodes") as response:
                    return len((await response.json())["nodes"]) == 3

            await until(knows_all, what="the node knows the members")
            _, body = await ask(hill.url, "Monday", agent="weather")

    assert body["response"] == "rain on Monday"
    told = openai.requests[0]["messages"][0]["content"]
    assert "Be quick." in told
    assert "- rain: Knows about rain\n- wind: Knows about wind" in told


async def test_teams_nest_three_deep_over_three_nodes_and_the_trace_is_a_tree(
    center: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def of_team(name: str, inner: str, **spec: Any) -> dict[str, Any]:
        made = team(name, "rain", **spec)
        made["spec"]["members"][0] = {"team": {"name": inner}}
        return made

    outer = of_team("outer", "middle", mode="Collaborate", model=scripted({"text": "outer({input})"}))
    middle = of_team("middle", "inner", mode="Route", model=scripted({"output": {"member": "inner"}}))
    places = {"a.default": [outer], "b.default": [middle, WIND], "c.default": [team("inner", "rain", "wind"), RAIN]}
    settings: dict[str, Any] = {"registry_url": center, "mesh_id": "default.nested"}
    async with AsyncExitStack() as stack:
        nodes = [
            NodeProcess(tmp_path_factory.mktemp("nested"), resources, node_id=node_id, **settings)
            for node_id, resources in places.items()
        ]
        await asyncio.gather(*(stack.enter_async_context(node) for node in nodes))
        _, body = await ask(nodes[0].url, "Monday", agent="outer")

    assert body["response"] == "outer(Monday\n\nmiddle answered:\nwind on rain on Monday)"
    assert tree(trace_of(body)) == (
        "outer.default on a.default",
        [("middle.default on b.default", [("inner.default on c.default", [
            ("rain.default on c.default", []),
            ("wind.default on b.default", []),
        ])])],
    )  # fmt: skip


def trace_of(body: dict[str, Any]) -> Trace:
    return Trace.model_validate(body["metadata"]["isek.io/trace"])


Tree = tuple[str, list[Any]]


def tree(trace: Trace) -> Tree:
    return f"{trace.agent} on {trace.node}", [tree(child) for child in trace.children]
