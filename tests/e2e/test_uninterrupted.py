"""What changes while agents are asked does not lose a single call."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from tests.support.api_examples import agent, team
from tests.support.isek_cli import Isek
from tests.support.kubectl import Kubectl
from tests.support.waiting import until

CALLERS = 4


async def test_no_call_is_lost_while_an_agent_is_changed_scaled_and_its_etcd_is_killed(namespace: Kubectl) -> None:
    await namespace.apply(agent("parrot"), team("aviary", members=[{"agent": {"name": "parrot"}}]))
    await namespace.until_condition("isekteam", "aviary", within=180)
    before = await Isek(namespace).nodes_of("parrot")

    async with asked_all_along(namespace, "aviary") as outcomes:
        await namespace.apply(agent("parrot", instructions="Repeat."))
        await until_nodes(namespace, "parrot", 1, other_than=before)
        await namespace("scale", "isekagent/parrot", "--replicas=3")
        await until_nodes(namespace, "parrot", 3)
        await namespace("scale", "isekagent/parrot", "--replicas=1")
        await until_nodes(namespace, "parrot", 1)
        await namespace("delete", "pod", "default-etcd-0", "--force", "--grace-period=0")
        await namespace("rollout", "status", "statefulset/default-etcd", "--timeout=90s")

    assert set(outcomes) == {"200 hello"}
    assert outcomes["200 hello"] > 100


@asynccontextmanager
async def asked_all_along(namespace: Kubectl, team_name: str) -> AsyncIterator[Counter[str]]:
    """Have a team asked again and again, by several callers at a time; counts the outcomes."""
    outcomes: Counter[str] = Counter()
    over = asyncio.Event()

    async def ask(session: aiohttp.ClientSession) -> None:
        while not over.is_set():
            async with session.post("/", json={"sender_node_id": "test", "message": "hello"}) as answer:
                body = await answer.json()
                outcomes[f"{answer.status} {body.get('response') or body}"] += 1

    async with (
        namespace.port_forward(f"deployment/{team_name}-team", 8080) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        asyncio.TaskGroup() as callers,
    ):
        for _ in range(CALLERS):
            callers.create_task(ask(session))
        try:
            yield outcomes
        finally:
            over.set()


async def until_nodes(
    namespace: Kubectl, agent_name: str, count: int, *, other_than: frozenset[str] | set[str] = frozenset()
) -> None:
    """Wait until so many nodes host the agent, and none of the given ones."""

    async def registered() -> bool:
        nodes = await Isek(namespace).nodes_of(agent_name)
        return len(nodes) == count and not nodes & other_than

    await until(registered, what=f"{count} nodes host {agent_name}", within=120)
