"""What changes while agents are asked does not lose a single call."""

import asyncio
import json
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.e2e.conftest import ClusterScript
from tests.support.api_examples import agent, team
from tests.support.isek_cli import Isek
from tests.support.kubectl import Kubectl
from tests.support.waiting import until

CALLERS = 4


async def test_no_call_is_lost_while_an_agent_is_changed_scaled_and_its_etcd_is_killed(
    namespace: Kubectl, other_node_image: str
) -> None:
    await namespace.apply(agent("parrot"), team("aviary", members=[{"agent": {"name": "parrot"}}]))
    await namespace.until_condition("isekteam", "aviary", within=180)
    before = await Isek(namespace).nodes_of("parrot")

    async with asked_all_along(namespace, "aviary") as over_the_mesh, asked_inside(namespace, "parrot") as by_service:
        await namespace.apply(agent("parrot", instructions="Repeat."))
        before = await until_nodes(namespace, "parrot", 1, other_than=before)
        await namespace.apply(agent("parrot", instructions="Repeat.", template={"image": other_node_image}))
        await until_nodes(namespace, "parrot", 1, other_than=before)
        await namespace("scale", "isekagent/parrot", "--replicas=3")
        await until_nodes(namespace, "parrot", 3)
        await namespace("scale", "isekagent/parrot", "--replicas=1")
        await until_nodes(namespace, "parrot", 1)
        await namespace("delete", "pod", "default-etcd-0", "--force", "--grace-period=0")
        await namespace.until_condition("pod", "default-etcd-0", within=90)

    assert set(over_the_mesh) == {"200 hello"}
    assert over_the_mesh["200 hello"] > 100
    assert set(by_service) == {"200 hello"}
    assert by_service["200 hello"] > 100


@pytest.fixture
def other_node_image(request: pytest.FixtureRequest, operator_installed: Kubectl, cluster_script: ClusterScript) -> str:
    """The node's image under another name: as if somebody had built one of their own."""
    node = cluster_script("images", "node").split()[0]
    other = "isek/node:of-somebody"
    subprocess.run(["/usr/bin/docker", "tag", node, other], check=True)
    cluster_script("load", request.config.option.cluster_name, other)
    return other


@asynccontextmanager
async def asked_all_along(namespace: Kubectl, name: str, *, role: str = "team") -> AsyncIterator[Counter[str]]:
    """Have an agent or a team asked again and again, by several callers at a time; counts the outcomes."""
    outcomes: Counter[str] = Counter()
    over = asyncio.Event()

    async def ask(session: aiohttp.ClientSession) -> None:
        while not over.is_set():
            async with session.post("/", json={"sender_node_id": "test", "message": "hello"}) as answer:
                body = await answer.json()
                outcomes[f"{answer.status} {body.get('response') or body}"] += 1

    async with (
        namespace.port_forward(f"deployment/{name}-{role}", 8080) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        asyncio.TaskGroup() as callers,
    ):
        for _ in range(CALLERS):
            callers.create_task(ask(session))
        try:
            yield outcomes
        finally:
            over.set()


CALLER = """
import asyncio, aiohttp, collections, json, signal

async def main():
    outcomes, over = collections.Counter(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    async def ask(reuse):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=not reuse)) as session:
            while not over.is_set():
                try:
                    async with session.post(URL, json={"sender_node_id": "test", "message": "hello"}) as answer:
                        body = await answer.json()
                        outcomes[f"{answer.status} {body.get('response') or body}"] += 1
                except Exception as error:
                    outcomes[repr(error)] += 1
                await asyncio.sleep(0.02)
    callers = [asyncio.create_task(ask(reuse)) for reuse in (True, False)]
    print("asking", flush=True)
    await asyncio.gather(*callers)
    print(json.dumps(outcomes), flush=True)

asyncio.run(main())
"""


@asynccontextmanager
async def asked_inside(namespace: Kubectl, agent_name: str) -> AsyncIterator[Counter[str]]:
    """Have an agent asked through its Service by a pod, over a kept connection and over new ones; counts outcomes."""
    url = f"http://{agent_name}-agent.{namespace.namespace}.svc:8080/"
    await namespace.apply(caller_pod(url, image=await node_image(namespace, agent_name)))
    outcomes: Counter[str] = Counter()

    async def said(word: str) -> str:
        log = await namespace("logs", "caller")
        assert word in log, log
        return log

    await until(lambda: said("asking"), what="the pod asks", within=60)
    yield outcomes
    await namespace("exec", "caller", "--", "python", "-c", "import os, signal; os.kill(1, signal.SIGTERM)")
    log = await until(lambda: said("}"), what="the pod has told its outcomes", within=30)
    outcomes.update(json.loads(log.splitlines()[-1]))


def caller_pod(url: str, *, image: str) -> dict[str, Any]:
    security: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    program = CALLER.replace("URL", repr(url))
    container = {"name": "caller", "image": image, "command": ["python", "-c", program], "securityContext": security}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "caller"},
        "spec": {"restartPolicy": "Never", "containers": [container], "terminationGracePeriodSeconds": 1},
    }


async def node_image(namespace: Kubectl, agent_name: str) -> str:
    deployment = await namespace.get("deployment", f"{agent_name}-agent")
    image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


async def until_nodes(
    namespace: Kubectl, agent_name: str, count: int, *, other_than: frozenset[str] | set[str] = frozenset()
) -> set[str]:
    """Wait until so many nodes host the agent, and none of the given ones; return them."""

    async def registered() -> set[str]:
        nodes = set(await Isek(namespace).nodes_of(agent_name))
        assert len(nodes) == count, nodes
        assert not nodes & other_than, nodes
        return nodes

    return await until(registered, what=f"{count} nodes host {agent_name}", within=120)
