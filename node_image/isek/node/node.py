"""One node, put together and run."""

import asyncio
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress

import uvicorn

from isek.node.app import create_app
from isek.node.host import Host
from isek.node.hosted import Hostable, build_hosted
from isek.node.logs import fields
from isek.node.membership import Membership
from isek.node.metrics import Metrics
from isek.node.settings import NodeSettings
from isek.protocol.mesh import Mesh
from isek.protocol.p2p import Sidecar
from isek.registry import open_registry

LAST_ANSWERS_SECONDS = 5
"""For what is written but not sent yet when the last run has ended."""
KEEP_ALIVE_SECONDS = 5
"""The sidecar closes its idle connections a second earlier, so that none breaks under a request."""

log = logging.getLogger("isek.node")


async def serve(settings: NodeSettings, resources: list[Hostable], listening: socket.socket) -> None:
    """Host ``resources`` until SIGTERM or SIGINT; a second one ends the node without waiting for what runs.

    Raises:
        DocumentError: a resource does not work out.
        RegistryUrlError: the settings name no registry.
        RecordError: the node hosts more than a record can say.
    """
    settings = settings.model_copy(update={"port": listening.getsockname()[1]})
    stop, hurry = _signals()
    metrics = Metrics()
    host = Host(settings.node_id, metrics)
    registry = open_registry(settings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(registry.close)
        sidecar = None
        if settings.p2p_enabled:
            sidecar = Sidecar(settings.p2p_api_url, settings.p2p_token_file, settings.max_body_bytes)
            stack.push_async_callback(sidecar.close)
        mesh = Mesh(registry, settings, hosts=host.hosts, local=host.answer_local, sidecar=sidecar)
        stack.push_async_callback(mesh.close)
        host.take_in(build_hosted(resources, mesh, settings.secrets_dir, metrics, source=settings.hosted_file))
        stack.push_async_callback(host.aclose)
        membership = Membership(settings, registry, host, sidecar, metrics)

        server = _Server(
            uvicorn.Config(
                create_app(settings, host, membership, metrics),
                lifespan="off",
                ws="none",
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listening]), name="server")
        joining = asyncio.create_task(membership.join(), name="joining")
        stopping = asyncio.create_task(stop.wait(), name="stopping")
        log.info("listening", extra=fields(address=settings.host, port=settings.port, agents=len(host.hosted)))
        try:
            while not stop.is_set() and not serving.done():
                running = {task for task in (serving, joining, stopping) if not task.done()}
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                if joining.done():
                    joining.result()
            await _drain(settings, host, membership, joining, hurry)
        finally:
            stopping.cancel()
            server.should_exit = True
            server.force_exit = host.running > 0  # it had its time; the end of the loop cancels it
            await serving


async def _drain(
    settings: NodeSettings, host: Host, membership: Membership, joining: "asyncio.Task[None]", hurry: asyncio.Event
) -> None:
    """Leave the registry first, so that no peer asks any more; then refuse who asks still, and finish what runs.

    In between, who came by a Service over a connection that it keeps has to learn to open another: each answer closes
    its connection, and what is idle that long is closed anyway.
    """
    log.info("draining", extra=fields(running=host.running))
    joining.cancel()
    with suppress(asyncio.CancelledError):
        await joining
    await membership.leave()
    host.closing = True
    with suppress(TimeoutError):
        await asyncio.wait_for(hurry.wait(), settings.linger_seconds)
    host.draining = True
    waits = [asyncio.create_task(host.idle()), asyncio.create_task(hurry.wait())]
    left = max(settings.drain_seconds - settings.linger_seconds, 0)
    await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    if host.running:
        log.warning("stopped before everything had ended", extra=fields(running=host.running))


def _signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Set by the first and by the second signal to stop."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def stop_or_hurry() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop_or_hurry)
    return stop, hurry


class _Server(uvicorn.Server):
    """Leaves the signals to the node, which drains before it stops the server."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
