"""One node, put together and run."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, aclosing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI

from isek.asking import Asks
from isek.cancelling import cancel
from isek.log import log
from isek.node.access import Gate
from isek.node.app import create_app
from isek.node.caller import SharedToken
from isek.node.cards import Cards
from isek.node.host import Host
from isek.node.hosted import Built
from isek.node.http_requests import BoundedRequests
from isek.node.listening import PortError, listen
from isek.node.membership import Membership
from isek.node.metrics import Metrics
from isek.node.settings import PREFIX, NodeSettings
from isek.node.tls import ServerCertificate
from isek.node.topic_agents import TopicAgents
from isek.node.topics import NodeTopics
from isek.protocol.a2a import A2A
from isek.protocol.card_key import CardKey
from isek.protocol.card_reader import CardReader
from isek.protocol.mesh import Mesh
from isek.protocol.p2p import Sidecar
from isek.protocol.topics import TopicCarrier
from isek.registry import Registry, open_registry

if TYPE_CHECKING:
    from isek.node.grpc_server import GrpcServer

LAST_ANSWERS_SECONDS = 5
"""For what is written but not sent yet when the last run has ended."""
KEEP_ALIVE_SECONDS = 5
"""The sidecar closes its idle connections a second earlier, so that none breaks under a request."""


class Stopping:
    """When a node is to end."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        """Leave the mesh, and finish what runs."""
        self.hurry = asyncio.Event()
        """Do not wait for what runs."""

    def __call__(self) -> None:
        """End; said again, at once."""
        (self.hurry if self.stop.is_set() else self.stop).set()


@dataclass(frozen=True)
class Joined:
    """What a node that is in its mesh can do there."""

    mesh: Mesh
    topics: NodeTopics


async def serve(
    settings: NodeSettings,
    listening: socket.socket,
    hosted: Callable[[Asks], list[Built]],
    stopping: Stopping,
    *,
    registry: Registry | None = None,
    joined: Callable[[Joined], None] | None = None,
) -> None:
    """Be a node of the mesh until told to stop.

    Args:
        settings: of the node; the port is that of ``listening``.
        listening: where it is asked.
        hosted: makes what it hosts, of what carries their calls.
        stopping: ends it.
        registry: not started yet; None: the one that the settings name.
        joined: is told once the node is registered and can ask others.

    Raises:
        RegistryUrlError: the settings name no registry.
        RecordError: the node hosts more than a record can say.
    """
    settings = settings.model_copy(update={"port": listening.getsockname()[1]})
    metrics = Metrics()
    host = Host(settings.node_id, metrics)
    registry = registry or open_registry(settings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(registry.close)
        sidecar = None
        if settings.p2p_enabled:
            sidecar = Sidecar(settings.p2p_api_url, settings.p2p_token_file, settings.max_body_bytes)
            stack.push_async_callback(sidecar.close)
        mesh = Mesh(
            registry,
            settings,
            hosts=host.hosts,
            local=host.answer_local,
            bids=host.bids,
            sidecar=sidecar,
            called=metrics.called,
        )
        stack.push_async_callback(mesh.close)
        host.asks, host.claims = mesh, registry.claims
        host.take_in(hosted(mesh))
        stack.push_async_callback(host.aclose)
        card_key = CardKey()
        membership = Membership(settings, registry, host, sidecar, metrics, card_key=card_key.public)
        reader = CardReader(registry, sidecar)
        stack.push_async_callback(reader.close)
        a2a = await stack.enter_async_context(aclosing(A2A(registry, settings, sidecar)))
        topics = host.publishes = NodeTopics(settings, registry, TopicCarrier(mesh.post), membership)
        topic_agents = TopicAgents(host, topics.here)
        stack.push_async_callback(topic_agents.close)
        gate = await stack.enter_async_context(aclosing(Gate(settings, SharedToken.of(settings), membership.of_peer)))
        certificate = _certificate(settings, stack)
        grpc = await _start_grpc(host, a2a, gate, settings, stack, certificate=certificate)
        cards = Cards(host, membership, reader, settings, card_key, grpc_port=grpc.port if grpc else None)
        a2a.extended_card = cards.extended

        app = create_app(settings, host, membership, metrics, gate=gate, cards=cards, a2a=a2a, topics=topics)
        server = _Server(_config(app))
        if certificate is not None:
            _start_tls(app, host, settings, certificate, stack)

        async def join() -> None:
            topic_agents.listen(host.hosted)  # before it is known: what comes must find them
            await membership.join()
            if joined is not None and membership.waiting_for is None:
                joined(Joined(mesh, topics))

        serving = asyncio.create_task(server.serve(sockets=[listening]), name="server")
        joining = asyncio.create_task(join(), name="joining")
        log().info("listening", address=settings.host, port=settings.port, agents=len(host.hosted))
        try:
            await _until_told(stopping, serving, joining)
            await cancel(joining)
            await _drain(settings, host, membership, topic_agents, stopping.hurry, grpc=grpc)
        finally:
            server.should_exit = True
            server.force_exit = host.running > 0  # it had its time; the end of the loop cancels it
            await serving


def _config(app: FastAPI, certificate: ServerCertificate | None = None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedRequests,
        lifespan="off",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # who asks says nothing about who asks
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
        ssl_context_factory=(lambda *_: certificate.context) if certificate else None,
    )


def _certificate(settings: NodeSettings, stack: AsyncExitStack) -> ServerCertificate | None:
    """What the node shows to callers over TLS, where that is asked for."""
    if settings.tls_port is None:
        return None
    certificate = ServerCertificate(settings.tls_dir)
    stack.push_async_callback(cancel, asyncio.create_task(certificate.follow(), name="following the certificate"))
    return certificate


def _start_tls(
    app: FastAPI, host: Host, settings: NodeSettings, certificate: ServerCertificate, stack: AsyncExitStack
) -> None:
    """Answer over HTTPS as well."""
    port = settings.tls_port or 0
    try:
        listening = stack.enter_context(listen(settings.host, port))
    except OSError as error:
        raise PortError(
            f"cannot listen on port {port} for HTTPS: {error.strerror}; set {PREFIX}TLS_PORT to one that is free"
        ) from None
    server = _Server(_config(app, certificate))
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="server over TLS")

    async def stop() -> None:
        server.should_exit = True
        server.force_exit = host.running > 0
        await serving

    stack.push_async_callback(stop)
    log().info("serving HTTPS", address=settings.host, port=listening.getsockname()[1])


async def _start_grpc(
    host: Host,
    a2a: A2A,
    gate: Gate,
    settings: NodeSettings,
    stack: AsyncExitStack,
    *,
    certificate: ServerCertificate | None,
) -> "GrpcServer | None":
    if settings.grpc_port is None:
        return None
    from isek.node.grpc_server import GrpcServer  # noqa: PLC0415  (9 MB that nodes without it do without)

    server = GrpcServer(host, a2a, gate, settings, certificate)
    await server.start()
    stack.push_async_callback(server.stop, LAST_ANSWERS_SECONDS)
    return server


async def _until_told(stopping: Stopping, serving: "asyncio.Task[None]", joining: "asyncio.Task[None]") -> None:
    """Return once the node is to end, or its server has; raise what keeps it from joining."""
    told = asyncio.create_task(stopping.stop.wait(), name="told to stop")
    try:
        while not stopping.stop.is_set() and not serving.done():
            running = {task for task in (serving, joining, told) if not task.done()}
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            if joining.done():
                joining.result()
    finally:
        told.cancel()


async def _drain(
    settings: NodeSettings,
    host: Host,
    membership: Membership,
    topic_agents: TopicAgents,
    hurry: asyncio.Event,
    *,
    grpc: "GrpcServer | None",
) -> None:
    """Leave the registry first, so that no peer asks any more; then refuse who asks still, and finish what runs.

    In between, who came by a Service over a connection that it keeps has to learn to open another: each answer closes
    its connection, and what is idle that long is closed anyway.
    """
    log().info("draining", running=host.running)
    await membership.withdraw(stays=host.running > 0 or topic_agents.busy or settings.linger_seconds > 0)
    topic_agents.stop_listening()
    host.closing = True
    with suppress(TimeoutError):
        await asyncio.wait_for(hurry.wait(), settings.linger_seconds)
    host.draining = True
    waits = [asyncio.create_task(_ended(host, topic_agents)), asyncio.create_task(hurry.wait())]
    left = max(settings.drain_seconds - settings.linger_seconds, 0)
    if grpc is not None:
        grpc.close(left)
    await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await membership.leave()
    if host.running:
        log().warning("stopped before everything had ended", running=host.running)


async def _ended(host: Host, topic_agents: TopicAgents) -> None:
    await topic_agents.finished()
    await host.idle()
    await topic_agents.handed_over()


class _Server(uvicorn.Server):
    """Leaves the signals to the node, which drains before it stops the server."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
