"""What the kubelet is told."""

import asyncio

import aiohttp
from isek_operator.health import endpoints
from isek_operator.keys import Key
from isek_operator.metrics import Metrics
from isek_operator.queue import Done, WorkQueue

from tests.support.control_plane_process import free_port
from tests.support.waiting import until

WRITER = Key("IsekAgent", "newsroom", "writer")


async def test_an_operator_that_leaves_something_due_for_ten_minutes_is_not_healthy() -> None:
    now, go_on = 0.0, asyncio.Event()
    queue = WorkQueue(Metrics(), clock=lambda: now)

    async def handle(_: Key) -> Done:
        await go_on.wait()
        return Done()

    ports = {"health_port": free_port(), "metrics_port": free_port()}
    async with (
        endpoints(Metrics(), lambda: True, lambda: queue.longest_wait, **ports),
        aiohttp.ClientSession(f"http://127.0.0.1:{ports['health_port']}") as session,
    ):

        async def status() -> int:
            async with session.get("/healthz") as answer:
                return answer.status

        queue.start(handle, workers=1)
        queue.add(WRITER)
        await until(lambda: not len(queue), what="the run has begun")
        now = 1000
        assert await status() == 200
        queue.add(WRITER)
        now += 599
        assert await status() == 200
        now += 1
        assert await status() == 503
        go_on.set()
        await until(lambda: queue.idle, what="the run has ended")
        assert await status() == 200
        await queue.stop(grace=1)
