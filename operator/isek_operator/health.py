"""The operator's HTTP endpoints: ``/healthz`` and ``/readyz``, and ``/metrics`` on a port of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from isek.node.listening import EVERYWHERE, listen
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from isek_operator.metrics import Metrics

HUNG_SECONDS = 600.0
"""A custom resource that has to be looked at for so long and is not: longer than any backlog or outage explains."""


@asynccontextmanager
async def endpoints(
    metrics: Metrics,
    ready: Callable[[], bool],
    longest_wait: Callable[[], float],
    *,
    health_port: int,
    metrics_port: int,
) -> AsyncIterator[None]:
    """Serve them while the context lasts.

    ``ready``: whether the cluster has been looked at once. ``longest_wait``: seconds that something has been due.

    Raises:
        OSError: a port is in use.
    """

    async def alive(_request: web.Request) -> web.Response:
        # the event loop turns, and the end of the watches ends the process; a run that hangs is left to be noticed
        if longest_wait() < HUNG_SECONDS:
            return web.Response(text="ok\n")
        return web.Response(status=503, text=f"something has been due for {longest_wait():.0f} s\n")

    async def readiness(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n") if ready() else web.Response(status=503, text="reading the cluster\n")

    async def exposition(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async with (
        _serving(health_port, web.get("/healthz", alive), web.get("/readyz", readiness)),
        _serving(metrics_port, web.get("/metrics", exposition)),
    ):
        yield


@asynccontextmanager
async def _serving(port: int, *routes: web.RouteDef) -> AsyncIterator[None]:
    application = web.Application()
    application.add_routes(routes)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, listen(EVERYWHERE, port)).start()
        yield
    finally:
        await runner.cleanup()
