"""Tasks for whoever can do them, over real nodes."""

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
from isek.trace import Trace

from tests.support.control_plane_etcd import EtcdServer
from tests.support.node_process import NodeProcess, agent, ask, scripted
from tests.support.waiting import until

TTL_SECONDS = 5
DESK = {
    "apiVersion": "isek.io/v1alpha1",
    "kind": "IsekTeam",
    "metadata": {"name": "desk"},
    "spec": {"members": [{"capability": "translation"}], "retries": {"attempts": 0}, "limits": {"timeoutSeconds": 60}},
}


def translator(name: str, *turns: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return agent(name, scripted(*turns, {"text": f"{name}: {{input}}"}), capabilities=["translation"], **spec)


async def nodes(stack: AsyncExitStack, folder: Path, registry_url: str, **hosted: list[dict[str, Any]]) -> list[Any]:
    shared: dict[str, Any] = {
        "registry_url": registry_url,
        "mesh_id": f"default.{folder.name}",
        "registry_ttl_seconds": TTL_SECONDS,
    }
    processes = [NodeProcess(folder, each, node_id=f"{name}.default", **shared) for name, each in hosted.items()]
    return list(await asyncio.gather(*(stack.enter_async_context(process) for process in processes)))


async def until_asked(desk: NodeProcess, message: str) -> dict[str, Any]:
    """The desk's answer, once it knows who is there."""

    async def answered() -> dict[str, Any] | None:
        status, body = await ask(desk.url, message, agent="desk")
        return body if status == 200 else None

    found: dict[str, Any] = await until(answered, what="the desk knows a translator", within=20)
    return found


def asked(node: NodeProcess, name: str) -> int:
    return sum(f': asked agent="{name}"' in line for line in node.log)


async def test_a_member_is_whoever_offers_the_capability_and_the_idle_one_is_taken(
    tmp_path: Path, etcd_server: EtcdServer
) -> None:
    async with AsyncExitStack() as stack:
        busy = translator("busy", {"delayMilliseconds": 5_000}, limits={"maxConcurrentTasks": 1})
        url = f"etcd://{etcd_server.endpoints[0]}"
        desk, first, second = await nodes(stack, tmp_path, url, desk=[DESK], first=[busy], second=[translator("idle")])
        working = asyncio.create_task(ask(first.url, "long", agent="busy"))

        for number in range(5):
            body = await until_asked(desk, f"word {number}")
            assert body["response"] == f"idle: word {number}"

        [member] = Trace.model_validate(body["metadata"]["isek.io/trace"]).children
        assert (member.agent, member.node) == ("idle.default", "second.default")
        assert asked(second, "idle") >= 5
        working.cancel()


async def test_a_task_whose_node_is_killed_is_done_by_another_once_its_claim_is_gone(
    tmp_path: Path, etcd_server: EtcdServer
) -> None:
    async with AsyncExitStack() as stack:
        slow = translator("slow", {"delayMilliseconds": 60_000}, limits={"maxConcurrentTasks": 1})
        url = f"etcd://{etcd_server.endpoints[0]}"
        desk, first = await nodes(stack, tmp_path, url, desk=[DESK], first=[slow])
        answering = asyncio.create_task(until_asked(desk, "word"))
        await until(lambda: _metrics(first, 'isek_running_tasks{agent="slow"} 1.0'), what="it is worked on", within=20)
        [second] = await nodes(stack, tmp_path, url, second=[translator("quick")])

        first.signal(signal.SIGKILL)

        body = await asyncio.wait_for(answering, 40)
        assert body["response"] == "quick: word"
        assert asked(second, "quick") == 1


async def test_a_capability_that_nobody_offers_is_said_to_be_missing(tmp_path: Path, center: str) -> None:
    async with AsyncExitStack() as stack:
        [desk] = await nodes(stack, tmp_path, center, desk=[DESK])

        status, body = await ask(desk.url, "word", agent="desk")

        assert status >= 400
        assert "CapabilityNotFound" in body["error"]["message"]


async def _metrics(node: NodeProcess, wanted: str) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{node.url}/metrics") as response:
        return wanted in await response.text()
