"""What it costs an agent to ask another: ``python -m tests.benchmarks.between_nodes``.

A team of one member that does nothing, asked over one connection; the member lives on the same node, on another one
over HTTP, or on another one over libp2p. The difference to the first row is the price of the way.
"""

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from isek.registry.center import serve

from tests.benchmarks.load import Figures
from tests.benchmarks.node import CONNECTIONS, ECHO, PLAIN, measure
from tests.support.node_process import NodeProcess, agent, team
from tests.support.sidecar import PeerNode
from tests.support.waiting import until

LIMITS = {"maxConcurrentTasks": 1000}
MEMBER = agent("echo", ECHO, limits=LIMITS)
TEAM = team("one", "echo", limits=LIMITS)


async def rows(way: str, node: NodeProcess) -> list[Figures]:
    """Wait until both know each other, then measure."""
    await until(lambda: "joined" in node.text, what="the node has joined", within=30)
    return [await measure(node, way, PLAIN, connections, path="/agents/one") for connections in (1, CONNECTIONS)]


async def main() -> None:
    """Print the table."""
    figures: list[Figures] = []
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    center = asyncio.create_task(serve("127.0.0.1", 0, started=port.set_result))
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"http://127.0.0.1:{await port}"

        def places(mesh_id: str) -> list[tuple[list[dict[str, Any]], dict[str, Any]]]:
            shared = {"registry_url": url, "mesh_id": mesh_id}
            return [([MEMBER], {**shared, "node_id": "b.default"}), ([TEAM], {**shared, "node_id": "a.default"})]

        async with NodeProcess(folder, [MEMBER, TEAM]) as both:
            figures += await rows("in process", both)
        async with AsyncExitStack() as http:
            for resources, settings in places("m.http"):
                node = await http.enter_async_context(NodeProcess(folder, resources, **settings))
            figures += await rows("HTTP", node)
        async with AsyncExitStack() as libp2p:
            for resources, settings in places("m.libp2p"):
                peer = await libp2p.enter_async_context(PeerNode(folder / settings["node_id"], resources, **settings))
            figures += await rows("libp2p", peer.node)
    center.cancel()
    await asyncio.gather(center, return_exceptions=True)
    sys.stdout.write("| way | connections | requests/s | p50 ms | p99 ms |\n|---|---|---|---|---|\n")
    for row in figures:
        sys.stdout.write(
            f"| {row.form} | {row.connections} | {row.per_second:.0f} | {row.p50_ms:.2f} | {row.p99_ms:.2f} |\n"
        )


if __name__ == "__main__":
    asyncio.run(main())
