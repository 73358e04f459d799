"""What the way between two agents costs: ``python -m tests.benchmarks.network``.

An agent that does nothing, asked over A2A and in the plain form: directly over HTTP, through two sidecars, through two
sidecars and a relay; and beside it one on the A2A SDK's own server. The loads are the same; what answers is counted
with its sidecar, where it has one. Then the memory of a sidecar with its peers, and discovery with many nodes.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

from isek.processes.network_key import new_private_network_key
from isek.registry.center import serve

from tests.benchmarks.discovery import discovery
from tests.benchmarks.load import Figures, Target, first_byte_ms, load
from tests.benchmarks.node import A2A, ECHO, PLAIN
from tests.support.a2a import a2a_client, says
from tests.support.node_process import agent
from tests.support.relay import RelayProcess
from tests.support.sidecar import PeerNode, SidecarProcess
from tests.support.waiting import until

CALLERS = (1, 8, 64)
SEQUENTIAL = 300
MEBIBYTE = {"sender_node_id": "bench", "message": "hello" + "x" * 2**20}
STREAM = {**A2A, "method": "SendStreamingMessage"}
CHAT = {"model": "echo", "stream": True, "messages": [{"role": "user", "content": "hello"}]}


async def main() -> None:
    """Print the tables."""
    say = sys.stdout.write
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peer_url, peer_pid = await stack.enter_async_context(_a2a_peer())
        ways = await _ways(folder, stack)
        say("| way | form | callers | requests/s | requests/s of receiving core | p50 ms | p99 ms |\n")
        say("|---|---|---|---|---|---|---|\n")
        for callers in CALLERS:
            sdk = Target(f"{peer_url}/", [peer_pid])
            say(_row(await load(sdk, "the A2A SDK's server, HTTP", json.dumps(A2A).encode(), callers), "A2A"))
            for form, body in (("A2A", A2A), ("plain", PLAIN)):
                for way, target in ways.items():
                    say(_row(await load(target, way, json.dumps(body).encode(), callers), form))
        say("\n| way | a body of 1 MiB, there and back, p50 ms | first piece of a stream, p50 ms |\n|---|---|---|\n")
        for way, target in ways.items():
            large = await load(target, way, json.dumps(MEBIBYTE).encode(), 1)
            first = await first_byte_ms(target, json.dumps(STREAM).encode())
            say(f"| {way} | {large.p50_ms:.1f} | {first:.2f} |\n")
        say("\n| the A2A SDK's own client, one call after the other | p50 ms | p99 ms |\n|---|---|---|\n")
        node_url = ways["HTTP"].url
        for server, url in (("its own server", peer_url), ("a node", node_url)):
            p50, p99 = await _with_the_sdks_client(url)
            say(f"| {server} | {p50:.2f} | {p99:.2f} |\n")
    say(f"\n{await discovery()}")


async def _ways(folder: Path, stack: AsyncExitStack) -> dict[str, Target]:
    """To one agent: the same node, reached in each way."""
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    center = asyncio.create_task(serve("127.0.0.1", 0, started=started.set_result))
    stack.push_async_callback(_cancelled, center)
    key = folder / "key"
    key.write_text(new_private_network_key())
    relay = await stack.enter_async_context(RelayProcess(folder / "relay", private_network_key=key))
    relays = folder / "relays"
    relays.write_text(relay.address)
    shared = {"registry_url": f"http://127.0.0.1:{await started}", "mesh_id": "bench.network"}
    hosted = [agent("echo", ECHO, limits={"maxConcurrentTasks": 1000})]

    async def peer(name: str, *resources: dict[str, object]) -> PeerNode:
        node = PeerNode(
            folder / name,
            resources,
            private_network_key=key,
            sidecar_environment={"ISEK_P2P_RELAYS_FILE": str(relays)},
            node_id=f"{name}.default",
            **shared,
        )
        return await stack.enter_async_context(node)

    far, near, further = await peer("far", *hosted), await peer("near"), await peer("further")
    direct = Target(f"{far.node.url}/agents/echo", [far.node.pid])
    both = [far.node.pid, far.sidecar.pid]
    relayed = _through(further.sidecar, f"{relay.address}/p2p-circuit/p2p/{far.peer_id}", both)
    await until(lambda: _answers(relayed), what="the relay carries calls", within=30)
    return {
        "HTTP": direct,
        "two sidecars": _through(near.sidecar, far.sidecar.p2p_address, both),
        "two sidecars and a relay": relayed,
    }


def _through(own: SidecarProcess, address: str, pids: list[int]) -> Target:
    query = urlencode({"p2p_address": address, "path": "/agents/echo"})
    token = own.token_file.read_text().strip()
    return Target(f"{own.api_url}/call_peer?{query}", pids, {"Authorization": f"Bearer {token}"})


async def _answers(target: Target) -> bool:
    try:
        return bool(await asyncio.wait_for(load(target, "", json.dumps(PLAIN).encode(), 1), 10))
    except (RuntimeError, asyncio.IncompleteReadError):
        return False


@asynccontextmanager
async def _a2a_peer() -> AsyncIterator[tuple[str, int]]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.benchmarks.a2a_peer", stdout=PIPE)
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip(), process.pid
    finally:
        process.terminate()
        await process.wait()


async def _with_the_sdks_client(url: str) -> tuple[float, float]:
    async with a2a_client(url, streaming=False) as client:
        durations = []
        for _ in range(SEQUENTIAL):
            begun = time.perf_counter()
            async for _ in client.send_message(says("hello")):
                pass
            durations.append((time.perf_counter() - begun) * 1000)
    cuts = statistics.quantiles(durations, n=100)
    return cuts[49], cuts[98]


def _row(row: Figures, form: str) -> str:
    return (
        f"| {row.form} | {form} | {row.connections} | {row.per_second:.0f} | {row.per_cpu_second:.0f} "
        f"| {row.p50_ms:.2f} | {row.p99_ms:.2f} |\n"
    )


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
