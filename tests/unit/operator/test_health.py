"""What the kubelet is told."""

import asyncio
import socket

import aiohttp
import pytest
from isek.processes.ports import free_port
from isek_operator.health import endpoints
from isek_operator.keys import Key
from isek_operator.metrics import Metrics
from isek_operator.queue import Done, WorkQueue

from tests.support.waiting import until

WRITER = Key("IsekAgent", "newsroom", "writer")


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
async def test_kubelet_and_prometheus_are_answered_over_ipv4_and_ipv6(address: str) -> None:
    ports = {"health_port": free_port(), "metrics_port": free_port()}
    async with endpoints(Metrics(), lambda: True, lambda: 0, **ports), aiohttp.ClientSession() as session:
        for port, path in ((ports["health_port"], "healthz"), (ports["metrics_port"], "metrics")):
            async with session.get(f"http://{address}:{port}/{path}") as answer:
                assert answer.status == 200


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
