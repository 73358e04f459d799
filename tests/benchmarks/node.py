"""How fast a node answers, and how large it is: ``python -m tests.benchmarks.node``.

One node, an agent that does nothing, a few connections.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.load import SECONDS, Figures, Target, cpu_seconds, load, resident_mib
from tests.support.node_process import NodeProcess, agent

CONNECTIONS = 8
ECHO = {"provider": "Echo"}
PLAIN = {"sender_node_id": "bench", "message": "hello"}
A2A = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "SendMessage",
    "params": {"message": {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "hello"}]}},
}


async def measure(
    node: NodeProcess, form: str, body: Mapping[str, object], connections: int, *, path: str = "/"
) -> Figures:
    """Send ``body`` again and again over kept-alive connections."""
    return await load(Target(node.url + path, [node.pid]), form, json.dumps(body).encode(), connections)


class Idle(NamedTuple):
    """What a node takes when nobody asks it."""

    resident_mib: float
    share_of_a_core: float


async def idle_agents(folder: Path) -> Idle:
    """Of a node with 20 agents."""
    idle = [agent(f"idle-{number}", ECHO, tools=[{"builtin": "calculator"}]) for number in range(20)]
    async with NodeProcess(folder, idle) as node:
        resident, cpu = resident_mib(node.pid), cpu_seconds(node.pid)
        await asyncio.sleep(SECONDS)
        return Idle(resident, (cpu_seconds(node.pid) - cpu) / SECONDS)


async def main() -> None:
    """Print the table."""
    rows: list[Figures] = []
    with tempfile.TemporaryDirectory() as folder:
        only = [agent("echo", ECHO, limits={"maxConcurrentTasks": 1000})]
        async with NodeProcess(Path(folder), only) as node:
            for connections in (1, CONNECTIONS):
                rows.append(await measure(node, "plain", PLAIN, connections))
                rows.append(await measure(node, "A2A", A2A, connections))
        idle = await idle_agents(Path(folder))
    print = sys.stdout.write
    print(f"| {'form':5} | connections | requests/s | requests/s of node CPU | p50 ms | p99 ms |\n")
    print("|---|---|---|---|---|---|\n")
    for row in rows:
        print(
            f"| {row.form:5} | {row.connections} | {row.per_second:.0f} | {row.per_cpu_second:.0f} "
            f"| {row.p50_ms:.2f} | {row.p99_ms:.2f} |\n"
        )
    print(f"\n20 idle agents: {idle.resident_mib:.0f} MiB resident, {idle.share_of_a_core:.1%} of a core\n")


if __name__ == "__main__":
    asyncio.run(main())
