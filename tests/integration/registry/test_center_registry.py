"""What happens to a registry when its center is started anew, and what the center answers to nonsense."""

import asyncio
from contextlib import suppress

import aiohttp
import pytest
from isek.processes.ports import free_port
from isek.registry.center import serve
from isek.registry.center_client import CenterRegistry

from tests.integration.registry.records import node
from tests.support.log_lines import LogLines
from tests.support.waiting import until


class Center:
    """A center registry that can be stopped and started anew, empty, on the same port."""

    def __init__(self) -> None:
        self.port = free_port()
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        started = asyncio.Event()
        self._serving = asyncio.create_task(serve("127.0.0.1", self.port, started=lambda _: started.set()))
        await started.wait()

    async def stop(self) -> None:
        assert self._serving is not None
        self._serving.cancel()
        with suppress(asyncio.CancelledError):
            await self._serving

    def open(self) -> CenterRegistry:
        return CenterRegistry(f"http://127.0.0.1:{self.port}", ttl_seconds=2)


async def test_nodes_come_back_by_themselves_to_a_center_that_was_started_anew(log: LogLines) -> None:
    center = Center()
    await center.start()
    async with center.open() as far, center.open() as near:
        await near.register(node("first", "writer"))
        await far.register(node("second", "editor"))

        await center.stop()
        await until(lambda: log.text.count("the last known 2 nodes stay known") == 2, what="both notice the loss")
        assert len(far.peers()) == 2
        await center.start()

        async with center.open() as newcomer:
            await newcomer.register(node("third", "reporter"))
            for registry in (newcomer, far, near):
                assert await registry.wait_for(lambda r=registry: len(r.peers()) == 3, 4)  # type: ignore[misc]
    await center.stop()


async def test_a_port_in_use_is_said() -> None:
    center = Center()
    await center.start()
    with pytest.raises(OSError, match="address already in use"):
        await serve("127.0.0.1", center.port)
    await center.stop()


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("POST", "/leases", "InvalidRequest"),
        ("POST", "/leases?ttl_seconds=soon", "InvalidRequest"),
        ("POST", "/leases/1/keep-alive", "LeaseNotFound"),
        ("PUT", "/keys?key=/isek/a&lease=1", "LeaseNotFound"),
        ("GET", "/watch?prefix=/isek/&after=99", "HistoryLost"),
    ],
)
async def test_the_center_names_what_is_wrong(center: str, method: str, path: str, code: str) -> None:
    async with aiohttp.ClientSession() as session, session.request(method, center + path) as answer:
        error = (await answer.json())["error"]

        assert answer.status in {400, 404, 410}
        assert error["code"] == code
        assert error["message"]
        assert error["hint"]
