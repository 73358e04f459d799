"""How fast a node answers, and how large it is: ``python -m tests.benchmarks.node``.

One node, an agent that does nothing, a few connections. The requests per second of node CPU are what one core could
do; they hold on a busy machine too.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.support.node_process import NodeProcess, agent

SECONDS = 5.0
CONNECTIONS = 8
ECHO = {"provider": "Echo"}
PLAIN = {"sender_node_id": "bench", "message": "hello"}
A2A = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "SendMessage",
    "params": {"message": {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "hello"}]}},
}


class Figures(NamedTuple):
    """One row of the table."""

    form: str
    connections: int
    per_second: float
    per_cpu_second: float
    p50_ms: float
    p99_ms: float


async def measure(
    node: NodeProcess, form: str, body: Mapping[str, object], connections: int, *, path: str = "/"
) -> Figures:
    """Send ``body`` again and again over kept-alive connections."""
    address = urlsplit(node.url)
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nA2A-Version: 1.0\r\nContent-Length: {len(content)}\r\n\r\n"
    request = head.encode() + content
    durations: list[float] = []

    async def one_connection(until: float) -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        while time.perf_counter() < until:
            begun = time.perf_counter()
            writer.write(request)
            headers = await reader.readuntil(b"\r\n\r\n")
            length = int(headers.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            answer = await reader.readexactly(length)
            durations.append(time.perf_counter() - begun)
            if b"hello" not in answer:
                raise RuntimeError(f"no answer: {answer!r}")
        writer.close()
        await writer.wait_closed()

    await one_connection(time.perf_counter() + 0.5)
    durations.clear()
    cpu, begun = cpu_seconds(node.pid), time.perf_counter()
    await asyncio.gather(*(one_connection(begun + SECONDS) for _ in range(connections)))
    wall, cpu = time.perf_counter() - begun, cpu_seconds(node.pid) - cpu
    cuts = statistics.quantiles(durations, n=100)
    count = len(durations)
    return Figures(form, connections, count / wall, count / cpu, cuts[49] * 1000, cuts[98] * 1000)


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


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used."""
    values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Memory that a process holds, in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


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
