"""Whatever callers send, under however many names, a node and its sidecar do not grow by it."""

import asyncio
import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from io import BytesIO
from pathlib import Path
from random import Random

import aiohttp
import pytest

from tests.support.mutation import mutated
from tests.support.node_process import agent
from tests.support.parsers import MESSAGE
from tests.support.sidecar import PeerNode, sidecar_bundle

ROUNDS = int(os.environ.get("ISEK_GROWTH_ROUNDS", "1"))
"""Of each half; 20 fill every table to its bound, in some minutes."""
REQUESTS = 1_200
AT_ONCE = 12
LARGE = "x" * 128 * 1024
MAX_MIB = 32
"""What each may grow by: less than what it is sent in one round, of which nothing may stay."""

pytestmark = pytest.mark.skipif(not sidecar_bundle().exists(), reason="the sidecar is not built: run `npm run build`")


def resident_mib(pid: int) -> float:
    """Memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def request(number: int, random: Random) -> tuple[str, bytes, dict[str, str]]:
    """Path, body and headers of a request that is like no other: half of them wrong, and large."""
    name = f"{number}-{uuid.uuid4().hex}"
    paths: list[tuple[str, object]] = [
        ("/agents/echo", {"message": "a", "session_id": name, "user_id": name}),
        ("/v1/chat/completions", {"model": "echo", "messages": [{"role": "user", "content": "a"}], "user": name}),
        ("/v1/responses", {"model": "echo", "input": "a", "metadata": {"name": name}}),
        (
            "/agents/echo/message:send",
            {"message": {**MESSAGE, "messageId": name, "contextId": name, "parts": [{"text": "a"}]}},
        ),
        ("/mcp", {"jsonrpc": "2.0", "id": name, "method": "tools/call", "params": {"name": name, "arguments": {}}}),
        ("/topics/" + name, {"payload": name}),
        ("/agents/" + name, {"message": "a"}),
    ]
    path, body = paths[number % len(paths)]
    headers = {"Content-Type": "application/json", "Idempotency-Key": name, "Mcp-Session-Id": name}
    if "message:send" in path:
        headers["A2A-Version"] = "1.0"
    if random.random() < 0.5:
        return path, json.dumps(body).encode(), headers
    return path, mutated(json.dumps([body, LARGE]).encode(), random), headers


async def flood(to: PeerNode, by: PeerNode, numbers: range) -> None:
    """Send requests with these numbers, half of them through two sidecars."""
    left = iter(numbers)
    token = by.sidecar.token_file.read_text().strip()

    async def some(session: aiohttp.ClientSession) -> None:
        for number in left:
            path, body, headers = request(number, Random(number))  # noqa: S311
            url, query = to.node.url + path, {}
            if number % 2 and not path.startswith("/topics"):
                url = f"{by.sidecar.api_url}/call_peer"
                query = {"p2p_address": to.sidecar.p2p_address, "path": path}
                headers |= {"Authorization": f"Bearer {token}"}
            async with session.post(url, params=query, data=BytesIO(body), headers=headers) as response:
                told = await response.read()
                assert b"InternalError" not in told, (path, body[:200], told[:200])

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(some(session))


@pytest.fixture
async def peers(tmp_path: Path, center: str) -> AsyncIterator[list[PeerNode]]:
    resources = {
        "asked": [agent("echo", {"provider": "Echo"}, memory={"provider": "InMemory"}, topics=["news"])],
        "asking": [agent("asker", {"provider": "Echo"})],
    }
    mesh_id = f"default.{uuid.uuid4().hex}"
    peers = [
        PeerNode(tmp_path / name, hosted, node_id=f"{name}.default", registry_url=center, mesh_id=mesh_id)
        for name, hosted in resources.items()
    ]
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(peer) for peer in peers))
        yield peers


@pytest.mark.timeout(300 * (ROUNDS + 1))
async def test_requests_of_all_sorts_leave_nothing_behind(peers: list[PeerNode]) -> None:
    asked, asking = peers
    processes = {"node": asked.node.pid, "its sidecar": asked.sidecar.pid, "the caller's sidecar": asking.sidecar.pid}
    await flood(asked, asking, range(REQUESTS * ROUNDS))
    before = {name: resident_mib(pid) for name, pid in processes.items()}

    await flood(asked, asking, range(REQUESTS * ROUNDS, 2 * REQUESTS * ROUNDS))

    grown = {name: resident_mib(pid) - before[name] for name, pid in processes.items()}
    assert max(grown.values()) < MAX_MIB, (before, grown)
    assert "Traceback" not in asked.node.text
