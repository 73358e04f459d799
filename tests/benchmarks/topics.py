"""What a message to a topic costs: ``python -m tests.benchmarks.topics``.

On one node; to five other nodes over HTTP; and, for comparison, to five who watch a key of a real etcd that it is put
to, and to five libp2p hosts by gossipsub. Publisher and listeners are one process, etcd another.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from isek import DefaultRegistry, Node
from isek.registry.etcd_client import EtcdClient
from isek.registry.memory_store import MemoryStore
from isek.registry.record import NodeRecord
from isek.sync import background_loop
from isek.topics.message import TopicMessage
from isek.topics.outbox import Refusals
from isek.topics.topics import Topics

from tests.support.control_plane_etcd import EtcdServer
from tests.support.sidecar import NODE_JS
from tests.support.waiting import until

LISTENERS = 5
PACED = 100
PACE_SECONDS = 0.05
BURST = 10_000
PUBLISHERS = 50
"""At a time, in the burst."""

Publish = Callable[[float], Awaitable[Any]]
"""Publishes the time it was sent at."""


class Heard:
    """What arrived, and how long it took."""

    def __init__(self) -> None:
        self.count = 0
        self.milliseconds: list[float] = []
        self._more = asyncio.Event()

    def add(self, sent: float) -> None:
        """One more."""
        self.count += 1
        self.milliseconds.append((time.perf_counter() - sent) * 1000)
        self._more.set()

    async def until(self, count: int) -> None:
        """Wait for so many."""
        while self.count < count:
            self._more.clear()
            await self._more.wait()


async def measure(way: str, publish: Publish, listening: list[AsyncIterator[float]], burst: int) -> str:
    """A row of the table."""
    heard = Heard()

    async def hear(messages: AsyncIterator[float]) -> None:
        async for sent in messages:
            heard.add(sent)

    tasks = [asyncio.create_task(hear(each)) for each in listening]
    for _ in range(PACED):
        await publish(time.perf_counter())
        await asyncio.sleep(PACE_SECONDS)
    await heard.until(PACED * len(listening))
    latencies = sorted(heard.milliseconds)
    begun, busy = time.perf_counter(), time.process_time()

    async def work() -> None:
        for _ in range(burst // PUBLISHERS):
            await publish(time.perf_counter())

    await asyncio.gather(*(work() for _ in range(PUBLISHERS)))
    await heard.until((PACED + burst // PUBLISHERS * PUBLISHERS) * len(listening))
    seconds, busy = time.perf_counter() - begun, time.process_time() - busy
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    p50, p99 = statistics.median(latencies), latencies[int(len(latencies) * 0.99)]
    microseconds = busy / burst / len(listening) * 1e6
    return f"| {way} | {len(listening)} | {burst / seconds:,.0f} | {microseconds:.0f} | {p50:.2f} | {p99:.2f} |"


async def on_one_node() -> str:
    """All in one process, as an agent's tool publishes to its neighbours."""

    class Nobody:
        def listeners(self, topic: str) -> tuple[NodeRecord, ...]:
            return ()

        def node(self, node_id: str) -> NodeRecord | None:
            return None

    async def send(_: NodeRecord, __: Any) -> Refusals:
        raise AssertionError("there is no other node")

    topics = Topics(NodeRecord(node_id="only", host="127.0.0.1", port=1), Nobody(), send)

    async def publish(sent: float) -> None:
        await topics.publish("news", sent)

    return await measure("on one node", publish, [_payloads(topics.listen(["news"]))], BURST)


async def to_other_nodes() -> str:
    """Nodes of one process, each with a server of its own."""
    store = MemoryStore()
    nodes = [Node(port=0, node_id=f"node-{number}", registry=DefaultRegistry(store)) for number in range(LISTENERS + 1)]

    async def measured() -> str:
        publisher, *others = [node._serving().topics.here for node in nodes]
        listening = [each.listen(["news"]) for each in others]

        async def all_listen() -> bool:
            return (await publisher.publish("news", time.perf_counter())).listeners == LISTENERS

        await until(all_listen, what="all are known to listen")

        async def publish(sent: float) -> None:
            await publisher.publish("news", sent)

        for each in listening:
            await each.line.get()
        return await measure("to other nodes, over HTTP", publish, [_payloads(each) for each in listening], BURST)

    try:
        for node in nodes:
            await asyncio.to_thread(node.build_server, True)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(measured(), background_loop()))
    finally:
        for node in nodes:
            await asyncio.to_thread(node.stop_server)


async def by_etcd(endpoint: str) -> str:
    """A put for each message, and a watch for each listener."""
    client = EtcdClient([endpoint])
    lease = await client.grant(600)
    revision = (await client.list("/news")).position.revision

    async def watched() -> AsyncIterator[float]:
        async with aclosing(client.watch("/news", revision)) as changes:
            async for each in changes:
                for _, value in each.items:
                    if value is not None:
                        yield float(value)

    async def publish(sent: float) -> None:
        await client.put("/news/latest", str(sent).encode(), lease)

    try:
        return await measure("to watches of etcd", publish, [watched() for _ in range(LISTENERS)], BURST)
    finally:
        await client.close()


async def by_gossipsub() -> str:
    """What the sidecars' library could carry."""
    program = Path(__file__).parents[2] / "p2p" / "bench" / "gossipsub.ts"
    process = await asyncio.create_subprocess_exec(NODE_JS, program, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{program} ended with exit code {process.returncode}")
    return out.decode().strip()


async def main() -> None:
    """Print the table."""
    etcd = EtcdServer()
    await etcd.start()
    try:
        rows = [await on_one_node(), await to_other_nodes(), await by_etcd(etcd.endpoints[0]), await by_gossipsub()]
    finally:
        await etcd.stop()
    sys.stdout.write(
        "| way | listeners | published/s | µs of CPU for each heard | p50 ms | p99 ms |\n|---|---|---|---|---|---|\n"
    )
    sys.stdout.write("".join(f"{row}\n" for row in rows))


async def _payloads(messages: AsyncIterator[TopicMessage]) -> AsyncIterator[float]:
    async for message in messages:
        yield message.payload


if __name__ == "__main__":
    asyncio.run(main())
