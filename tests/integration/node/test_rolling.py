"""Replicas that are replaced while others ask them: nobody notices."""

import asyncio
import signal
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.support.node_process import agent, ask, scripted
from tests.support.sidecar import PeerNode
from tests.support.waiting import until

TEAM_OF_ONE = agent(
    "desk",
    scripted({"toolCalls": [{"name": "writer", "arguments": {"message": "tea"}}]}, {"text": "asked"}),
    tools=[{"agent": {"name": "writer"}}],
    limits={"maxConcurrentTasks": 100},
)
WRITER = agent("writer", scripted({"delayMilliseconds": 200}, {"text": "wrote"}), limits={"maxConcurrentTasks": 100})


async def test_who_came_by_a_service_is_answered_by_a_node_that_is_told_to_end(tmp_path: Path, center: str) -> None:
    def peer(hosted: dict[str, object], name: str, **settings: Any) -> PeerNode:
        return PeerNode(
            tmp_path / name,
            [hosted],
            node_id=f"{name}.default",
            registry_url=center,
            mesh_id="default.lingering",
            **settings,
        )

    async with peer(WRITER, "writer"), peer(TEAM_OF_ONE, "desk", linger_seconds=30) as desk:

        async def told() -> object:
            return (await ask(desk.node.url, "go"))[1].get("response")

        async def answers() -> bool:
            return await told() == "asked"

        await until(answers, what="the desk's calls arrive", within=20)
        desk.node.signal(signal.SIGTERM)
        await until(lambda: "draining" in desk.node.text, what="it is told to end")

        _, body = await ask(desk.node.url, "go")

        assert [child.get("error") for child in body["metadata"]["isek.io/trace"]["children"]] == [None]
        desk.node.signal(signal.SIGTERM)


async def test_replicas_are_replaced_one_after_the_other_and_no_call_fails(tmp_path: Path, center: str) -> None:
    def peer(name: str, *, life: int = 1, hosted: dict[str, object] = WRITER) -> PeerNode:
        return PeerNode(
            tmp_path / f"{name}-{life}",
            [hosted],
            node_id=f"{name}-{life}.default",
            registry_url=center,
            mesh_id="default.rolling",
            drain_seconds=20,
        )

    outcomes: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        desks = [peer(name, hosted=TEAM_OF_ONE) for name in ("near", "nearer")]
        replicas = [peer(name) for name in ("one", "two")]
        await asyncio.gather(*(stack.enter_async_context(each) for each in (*desks, *replicas)))

        async def answers(desk: PeerNode) -> bool:
            return (await ask(desk.node.url, "go"))[0] == 200

        for desk in desks:
            await until(lambda desk=desk: answers(desk), what="the desk's calls arrive", within=20)  # type: ignore[misc]

        async def keep_asking(desk: PeerNode) -> None:
            while not over.is_set():
                _, body = await ask(desk.node.url, "go")
                children = body["metadata"]["isek.io/trace"]["children"]
                errors = [str(body.get("error"))] + [child.get("error") for child in children]
                outcomes[next((str(error) for error in errors if error not in {None, "None"}), "OK")] += 1

        over = asyncio.Event()
        callers = [asyncio.create_task(keep_asking(desk)) for desk in desks for _ in range(4)]
        for place, name in enumerate(("one", "two")):
            before = outcomes.total()
            await replicas[place].stop()
            replicas[place] = await stack.enter_async_context(peer(name, life=2))
            await until(lambda before=before: outcomes.total() >= before + 50, what="calls go on", within=30)  # type: ignore[misc]
        over.set()
        await asyncio.gather(*callers)

    assert outcomes == Counter(OK=outcomes.total())
