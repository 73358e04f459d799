"""Topics over real nodes: what is published on one is heard on the others."""

import asyncio
import json
import signal
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from isek.processes.ports import free_port

from tests.support.node_process import NodeProcess, agent, ask, scripted
from tests.support.sidecar import PeerNode, sidecar_bundle
from tests.support.waiting import until

EDITOR = agent("editor", scripted({"text": "read {input}"}), topics=["news"])
REPORTER = agent(
    "reporter",
    scripted(
        {"toolCalls": [{"name": "publish", "arguments": {"topic": "news", "message": "rain"}}]}, {"text": "told them"}
    ),
    tools=[{"publish": {"topics": ["news"]}}],
)


@asynccontextmanager
async def running(
    folder: Path, center: str, *nodes: tuple[str, list[dict[str, Any]]]
) -> AsyncIterator[list[NodeProcess]]:
    """Nodes of one mesh."""
    mesh_id = f"default.{uuid.uuid4().hex}"
    processes = [
        NodeProcess(folder, resources, node_id=node_id, registry_url=center, mesh_id=mesh_id)
        for node_id, resources in nodes
    ]
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(process) for process in processes))
        yield processes


async def publish(node: NodeProcess, topic: str, payload: Any, **more: Any) -> tuple[int, dict[str, Any]]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{node.url}/topics/{topic}", json={"payload": payload, **more}) as response,
    ):
        return response.status, await response.json()


async def published_to(node: NodeProcess, topic: str, listeners: int) -> None:
    """Publish until so many listen: others know soon, not at once."""

    async def enough() -> bool:
        _, body = await publish(node, topic, "is anybody there?")
        return bool(body["listeners"] == body["heard"] == listeners)

    await until(enough, what=f"{listeners} listen to {topic}")


@asynccontextmanager
async def listening(node: NodeProcess, topic: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """The messages that a node streams."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{node.url}/topics/{topic}/messages") as response,
    ):
        assert (response.status, response.content_type) == (200, "text/event-stream")

        async def messages() -> AsyncIterator[dict[str, Any]]:
            async for line in response.content:
                if line.startswith(b"data:"):
                    yield json.loads(line.removeprefix(b"data:"))

        yield messages()


async def next_that_says(messages: AsyncIterator[dict[str, Any]], payload: Any) -> dict[str, Any]:
    async with asyncio.timeout(20):
        async for message in messages:
            if message["payload"] == payload:
                return message
    raise AssertionError(f"{payload!r} was not heard")


def tasks(node: NodeProcess, agent_name: str) -> int:
    """How often an agent was asked."""
    return sum(f': asked agent="{agent_name}" ' in line for line in node.log)


async def test_what_is_published_on_one_node_is_heard_on_another_with_who_said_it(tmp_path: Path, center: str) -> None:
    async with (
        running(tmp_path, center, ("here.default", []), ("there.default", [])) as (here, there),
        listening(there, "news") as messages,
    ):
        await published_to(here, "news", 1)

        status, body = await publish(here, "news", {"headline": "rain"}, priority="High")

        assert (status, body["listeners"], body["heard"]) == (200, 1, 1)
        message = await next_that_says(messages, {"headline": "rain"})
        assert (message["topic"], message["sender"], message["priority"]) == ("news", "outside:anybody", "High")
        assert message["id"] == body["id"]


async def test_a_message_is_a_task_for_one_replica_of_each_agent_that_listens(tmp_path: Path, center: str) -> None:
    replicas = [(f"{name}.default", [EDITOR]) for name in ("first", "second")]
    async with running(tmp_path, center, *replicas, ("desk.default", [REPORTER])) as nodes:
        first, second, desk = nodes
        await published_to(desk, "news", 1)
        before = tasks(first, "editor") + tasks(second, "editor")

        for number in range(20):
            assert (await publish(desk, "news", f"story {number}"))[1]["heard"] == 1

        await until(
            lambda: tasks(first, "editor") + tasks(second, "editor") >= before + 20,
            what="all stories are read",
            within=10,
        )
        assert tasks(first, "editor")
        assert tasks(second, "editor")


async def test_an_agent_publishes_by_its_tool_and_is_named_as_the_sender(tmp_path: Path, center: str) -> None:
    async with (
        running(tmp_path, center, ("desk.default", [REPORTER]), ("study.default", [])) as (desk, study),
        listening(study, "news") as messages,
    ):
        await published_to(desk, "news", 1)
        async with aiohttp.ClientSession() as session:
            body = {"sender_node_id": "test", "message": "what is new?"}
            async with session.post(f"{desk.url}/agents/reporter", json=body) as response:
                assert (await response.json())["response"] == "told them"

        assert (await next_that_says(messages, "rain"))["sender"] == "reporter.default"


async def test_the_past_is_asked_of_all_nodes_and_those_that_do_not_answer_are_named(
    tmp_path: Path, center: str
) -> None:
    async with running(tmp_path, center, ("here.default", []), ("there.default", [])) as (here, there):
        await publish(here, "news", "first")
        await publish(there, "news", "second")
        async with aiohttp.ClientSession() as session:

            async def past(limit: int) -> dict[str, Any]:
                async with session.get(f"{here.url}/topics/news?limit={limit}") as response:
                    assert response.status == 200
                    body: dict[str, Any] = await response.json()
                    return body

            async def both() -> bool:
                return [each["payload"] for each in (await past(10))["messages"]] == ["first", "second"]

            await until(both, what="the nodes know each other")
            assert [each["payload"] for each in (await past(1))["messages"]] == ["second"]
            assert (await past(1))["missing"] == []
            there.signal(signal.SIGSTOP)  # it neither answers nor leaves
            try:
                assert (await past(10))["missing"] == ["there.default"]
            finally:
                there.signal(signal.SIGCONT)


async def test_what_an_agent_has_heard_it_works_on_before_its_node_ends(tmp_path: Path, center: str) -> None:
    slow = agent(
        "slow",
        scripted({"delayMilliseconds": 100}, {"text": "done"}),
        topics=["work"],
        limits={"maxConcurrentTasks": 1},
    )
    async with running(tmp_path, center, ("desk.default", [slow]), ("study.default", [])) as (desk, study):
        await published_to(study, "work", 1)
        await until(lambda: tasks(desk, "slow"), what="the agent listens")
        before = tasks(desk, "slow")
        for number in range(10):
            assert (await publish(study, "work", number))[1]["heard"] == 1

        assert await desk.stop() == 0

        assert tasks(desk, "slow") >= before + 10


@pytest.mark.parametrize(
    ("topic", "body", "status", "code"),
    [
        ("a%20b", {"payload": 1}, 400, "InvalidRequest"),
        ("news", {"priority": "High"}, 400, "InvalidRequest"),
        ("news", {"payload": 1, "priority": "Highest"}, 400, "InvalidRequest"),
        ("news", {"payload": "x" * 70_000}, 413, "BodyTooLarge"),
        ("news", [], 400, "InvalidRequest"),
    ],
)
async def test_what_cannot_be_published_is_said_in_one_line(
    alone: NodeProcess, topic: str, body: Any, status: int, code: str
) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{alone.url}/topics/{topic}", json=body) as response,
    ):
        assert (response.status, (await response.json())["error"]["code"]) == (status, code)


async def test_one_caller_listens_to_so_many_topics_at_most(alone: NodeProcess) -> None:
    async with AsyncExitStack() as stack:
        for number in range(8):
            await stack.enter_async_context(listening(alone, f"topic-{number}"))
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{alone.url}/topics/one-more/messages") as response,
        ):
            assert (response.status, (await response.json())["error"]["code"]) == (429, "TooManyTopics")


SAME_TOOL_TWICE = [{"builtin": "calculator"}, {"agent": {"name": "calculator"}}]
PATHS = [("POST", "/topics/news"), ("GET", "/topics/news"), ("GET", "/topics/news/messages"), ("GET", "/isek/nodes")]


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_a_node_with_nothing_but_broken_agents_lets_in_whom_they_would(
    tmp_path: Path, method: str, path: str
) -> None:
    broken = agent("editor", {"provider": "Echo"}, tools=SAME_TOOL_TWICE, access={"outside": {"from": "Nobody"}})
    async with (
        NodeProcess(tmp_path, [broken], ready=False) as node,
        aiohttp.ClientSession() as session,
        session.request(method, node.url + path, json={"payload": "x"}) as response,
    ):
        assert (response.status, (await response.json())["error"]["code"]) == (403, "Forbidden")


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_nothing_is_published_and_no_past_known_before_the_node_has_joined(tmp_path: Path, method: str) -> None:
    nobody = f"etcd://127.0.0.1:{free_port()}"
    async with (
        NodeProcess(tmp_path, [EDITOR], registry_url=nobody, ready=False) as node,
        aiohttp.ClientSession() as session,
        session.request(method, f"{node.url}/topics/news", json={"payload": "x"}) as response,
    ):
        assert (response.status, (await response.json())["error"]["code"]) == (503, "NotReady")


@pytest.fixture(scope="module")
async def alone(tmp_path_factory: pytest.TempPathFactory, center: str) -> AsyncIterator[NodeProcess]:
    async with running(tmp_path_factory.mktemp("alone"), center, ("alone.default", [])) as [node]:
        yield node


@pytest.mark.skipif(not sidecar_bundle().exists(), reason="the sidecar is not built: run `npm run build` in p2p/")
async def test_over_libp2p_messages_are_handed_over_by_peers_alone(tmp_path: Path, center: str) -> None:
    async with AsyncExitStack() as stack:
        here, there = (
            PeerNode(tmp_path / name, [], node_id=f"{name}.default", registry_url=center, mesh_id="default.topics")
            for name in ("here", "there")
        )
        await asyncio.gather(stack.enter_async_context(here), stack.enter_async_context(there))
        messages = await stack.enter_async_context(listening(there.node, "news"))
        await published_to(here.node, "news", 1)
        await publish(here.node, "news", "rain")
        await next_that_says(messages, "rain")

        forged = {"id": "1", "topic": "news", "payload": "x", "sender": "here.default", "publishedAt": "", "to": [""]}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{there.node.url}/isek/messages", json={"messages": [forged]}) as response,
        ):
            assert (response.status, (await response.json())["error"]["code"]) == (403, "Forbidden")


@pytest.mark.skipif(not sidecar_bundle().exists(), reason="the sidecar is not built: run `npm run build` in p2p/")
async def test_what_an_agent_publishes_while_its_node_ends_is_heard_by_its_peers(tmp_path: Path, center: str) -> None:
    slow = agent(
        "reporter",
        scripted(
            {"delayMilliseconds": 2_000},
            {"toolCalls": [{"name": "publish", "arguments": {"topic": "news", "message": "rain"}}]},
            {"text": "told them"},
        ),
        tools=[{"publish": {"topics": ["news"]}}],
    )
    async with AsyncExitStack() as stack:
        shared: dict[str, Any] = {"registry_url": center, "mesh_id": "default.ending"}
        here = PeerNode(tmp_path / "here", [slow], node_id="here.default", **shared)
        there = PeerNode(tmp_path / "there", [], node_id="there.default", **shared)
        await asyncio.gather(stack.enter_async_context(here), stack.enter_async_context(there))
        messages = await stack.enter_async_context(listening(there.node, "news"))
        await published_to(here.node, "news", 1)
        asking = asyncio.create_task(ask(here.node.url, "go", agent="reporter"))
        await until(lambda: runs(here.node, "reporter"), what="the reporter is at work")

        here.node.signal(signal.SIGTERM)

        assert (await next_that_says(messages, "rain"))["sender"] == "reporter.default"
        assert (await asking)[1]["response"] == "told them"


async def test_what_comes_from_outside_by_a_topic_counts_for_the_rate_limit(tmp_path: Path, center: str) -> None:
    limited = {"outside": {"from": "Anyone", "rateLimit": {"requestsPerMinute": 1, "burst": 2}}}
    editor = agent("editor", scripted({"text": "read"}), topics=["news"], access=limited)
    async with running(tmp_path, center, ("desk.default", [editor])) as [desk]:
        answers = [await publish(desk, "news", number) for number in range(4)]

    assert [status for status, _ in answers] == [200, 200, 429, 429]
    assert answers[-1][1]["error"]["code"] == "RateLimited"


async def test_nobody_names_the_address_that_a_rate_limit_counts(tmp_path: Path, center: str) -> None:
    limited = {"outside": {"from": "Anyone", "rateLimit": {"requestsPerMinute": 1, "burst": 1}}}
    async with running(tmp_path, center, ("desk.default", [agent("echo", {"provider": "Echo"}, access=limited)])) as [
        desk
    ]:
        made_up = [{"X-Forwarded-For": f"10.0.0.{number}"} for number in range(3)]
        statuses = [(await ask(desk.url, "x", agent="echo", headers=headers))[0] for headers in made_up]

    assert statuses == [200, 429, 429]


async def test_who_comes_and_goes_does_not_keep_the_registry_busy(tmp_path: Path, center: str) -> None:
    async with running(tmp_path, center, ("here.default", []), ("there.default", [])) as (here, _):
        begun = time.monotonic()
        before = await _revision(center)
        for number in range(20):
            async with listening(here, f"topic-{number}"):
                pass
        written = await _revision(center) - before

    assert written <= 2 * (time.monotonic() - begun) + 2


async def _revision(center: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"{center}/keys?prefix=/isek/") as response:
        return int((await response.json())["revision"])


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "0000000019999999", "9" * 5000])
async def test_how_much_of_the_past_is_asked_for_has_bounds(alone: NodeProcess, limit: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{alone.url}/topics/news", params={"limit": limit}) as response,
    ):
        assert (response.status, (await response.json())["error"]["code"]) == (400, "InvalidRequest")


async def runs(node: NodeProcess, agent_name: str) -> bool:
    """Whether an agent works on something."""
    async with aiohttp.ClientSession() as session, session.get(f"{node.url}/metrics") as response:
        return f'isek_running_tasks{{agent="{agent_name}"}} 1.0' in await response.text()


@pytest.mark.skipif(not sidecar_bundle().exists(), reason="the sidecar is not built: run `npm run build` in p2p/")
async def test_an_agent_that_nobody_outside_may_ask_hears_nothing_from_there(tmp_path: Path, center: str) -> None:
    vault = agent("vault", {"provider": "Echo"}, topics=["news"], access={"outside": {"from": "Nobody"}})
    hosts = {"desk": EDITOR, "cellar": vault}
    async with AsyncExitStack() as stack:
        desk, cellar = (
            PeerNode(tmp_path / name, [it], node_id=f"{name}.default", registry_url=center, mesh_id="default.vault")
            for name, it in hosts.items()
        )
        await asyncio.gather(stack.enter_async_context(desk), stack.enter_async_context(cellar))

        async def refused() -> bool:
            _, body = await publish(desk.node, "news", "gold")
            return (body["listeners"], body["heard"], body["refused"]) == (1, 1, 1)

        await until(refused, what="the vault listens and refuses", within=30)
    assert any("vault.default takes nothing from topics" in line for line in cellar.node.log)
    assert not any("did not manage" in line or "ERROR" in line for line in cellar.node.log)
