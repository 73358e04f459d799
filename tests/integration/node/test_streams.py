"""Answers longer than any memory, through two real sidecars: who reads slowly holds the run back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from isek.node.settings import NodeSettings

from tests.support.node_process import agent
from tests.support.sidecar import PeerNode
from tests.support.waiting import until

PIECE = 10_000
MEBIBYTE = 1024 * 1024
ENDLESS = f"""
from pathlib import Path

from isek import Adapter, TextDelta

class Endless(Adapter):
    async def answer(self, message, context):
        file, _, pieces = message.partition(" ")
        for number in range(int(pieces)):
            context.tell(TextDelta(self.name, "x" * {PIECE}))
            Path(file).write_text(str(number + 1))
            await context.keep_pace()
        return "the end"

endless = Endless("endless")
"""


@dataclass
class Way:
    """From a node, through both sidecars, to the agent that does not stop talking."""

    near: PeerNode
    far: PeerNode
    progress: Path

    @property
    def pids(self) -> list[int]:
        """All processes on the way."""
        return [self.near.sidecar.pid, self.far.sidecar.pid, self.far.node.pid]

    @asynccontextmanager
    async def stream(self, pieces: int) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer, as it comes."""
        settings: NodeSettings = self.near.node.settings
        headers = {"Authorization": f"Bearer {settings.p2p_token_file.read_text().strip()}"}
        query = {"p2p_address": self.far.sidecar.p2p_address, "path": "/v1/chat/completions"}
        said = {"role": "user", "content": f"{self.progress} {pieces}"}
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
            session.post(
                f"{settings.p2p_api_url}/call_peer",
                params=query,
                headers=headers,
                json={"model": "endless", "messages": [said], "stream": True},
            ) as response,
        ):
            assert response.status == 200, await response.text()
            yield response

    def told(self) -> int:
        """Bytes that the agent has said."""
        return int(self.progress.read_text() or 0) * PIECE if self.progress.exists() else 0

    async def is_held_back(self) -> int:
        """Wait until the agent says no more; what it has said."""
        before = -1

        def silent() -> bool:
            nonlocal before
            was, before = before, self.told()
            return was == before

        await until(silent, what="the agent is silent", within=60, poll=1)
        return self.told()


@pytest.fixture(scope="module")
async def way(tmp_path_factory: pytest.TempPathFactory, center: str) -> AsyncIterator[Way]:
    folder = tmp_path_factory.mktemp("streams")
    code = folder / "code"
    (code / "talk").mkdir(parents=True)
    (code / "talk" / "talk.py").write_text(ENDLESS)
    source = {"configMapRef": {"name": "talk"}, "entrypoint": "talk:endless"}
    endless = {**agent("endless", {"provider": "Echo"}), "spec": {"code": source}}
    places = {"near": agent("echo", {"provider": "Echo"}), "far": endless}
    async with AsyncExitStack() as stack:
        peers = {
            name: PeerNode(
                folder / name,
                [hosted],
                node_id=f"{name}.default",
                registry_url=center,
                mesh_id="default.streams",
                code_dir=code,
            )
            for name, hosted in places.items()
        }
        await asyncio.gather(*(stack.enter_async_context(peer) for peer in peers.values()))
        yield Way(peers["near"], peers["far"], folder / "progress")


def resident_bytes(pid: int) -> int:
    """Memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


async def test_a_reader_that_stops_holds_the_agent_back_and_gets_all_of_it_in_the_end(way: Way) -> None:
    pieces = 3_000
    async with way.stream(pieces) as answer:
        lines = [await answer.content.readline() for _ in range(20)]
        before = [resident_bytes(pid) for pid in way.pids]
        held_at = await way.is_held_back()
        grown = [resident_bytes(pid) - was for pid, was in zip(way.pids, before, strict=True)]
        lines += [line async for line in answer.content]

    assert held_at < 20 * MEBIBYTE
    assert max(grown) < 30 * MEBIBYTE
    assert sum(b"x" * PIECE in line for line in lines) == pieces
    assert [line for line in lines if line.strip()][-1] == b"data: [DONE]\n"


async def test_a_reader_that_goes_away_ends_the_run_that_it_held_back(way: Way) -> None:
    async with way.stream(10**9) as answer:
        await answer.content.readexactly(MEBIBYTE)
        await way.is_held_back()

    async def none_runs() -> bool:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{way.far.node.url}/metrics") as response,
        ):
            return 'isek_running_tasks{agent="endless"} 0.0' in await response.text()

    await until(none_runs, what="the run has ended", within=5)
