"""A node within a Python program."""

import asyncio
import atexit
import concurrent.futures
import re
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from isek.agent.arguments import check_type, tuple_of
from isek.asking import Asks, CallContext, Runner
from isek.errors import CallError
from isek.log import log
from isek.node.hosted import Built, Hosted
from isek.node.listening import EVERYWHERE, listen
from isek.node.messages import Messages
from isek.node.own_sidecar import own_sidecar
from isek.node.serving import Joined, Stopping, serve
from isek.node.settings import NodeSettings
from isek.processes.local_mesh import key_of_local_mesh
from isek.registry import Registry
from isek.registry.default import DefaultRegistry
from isek.sync import background_loop, on_background_loop, synchronous_only
from isek.team.team import IsekTeam
from isek.topics.message import Priority
from isek.topics.topics import PATIENCE_SECONDS

START_SECONDS = 60.0
DRAIN_SECONDS = 10
LOOPBACK = "127.0.0.1"
EVERYWHERE_OR_LOCAL = {EVERYWHERE, "0.0.0.0", "::", "localhost"}  # noqa: S104  (asked for)
WITHOUT_SIDECAR = (
    "{} is no part of the libp2p network of mesh {}: for its nodes it is a caller from outside, "
    "who gets no capabilities and no topics; join with p2p=True"
)
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
NODE_ID = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,252}")


class Node:
    """A node of a mesh: its agents answer others, and ask others.

    All nodes of a process run on the loop of :mod:`isek.sync`, beside the program.

    Args:
        host: address to listen on; empty: all.
        port: port to listen on; 0: any free one.
        node_id: unique in the mesh; default: a new one.
        p2p: whether nodes call each other over libp2p: encrypted, and only with those who hold the mesh's key. A
            sidecar process is started for it, which needs Node.js.
        registry: where the nodes of the mesh find each other; default: within this process.
        agents: agents, teams and adapters to host. Their members and handoffs may be addresses in the mesh.
        namespace: where they live: an agent's address is ``<name>.<namespace>``.
        advertise_host: the address at which others reach this machine; default: ``host``, else the loopback address.
        private_network_key: the file with the key of the mesh's libp2p network; default: where ``isek up`` of this
            user runs the mesh, its key, else one that all nodes of this user share, in ``$XDG_STATE_HOME/isek``.

    Raises:
        TypeError: something is not what it is to be, such as one agent where a list of them belongs.
        ValueError: a name cannot stand in an address, or two are the same; a port that there is none of.
    """

    def __init__(  # noqa: PLR0917  (the classic order)
        self,
        host: str = LOOPBACK,
        port: int = 8080,
        node_id: str | None = None,
        p2p: bool = False,
        registry: Registry | None = None,
        agents: Iterable[Runner] = (),
        *,
        namespace: str = "default",
        advertise_host: str | None = None,
        private_network_key: str | Path | None = None,
    ) -> None:
        self.node_id = node_id or f"node-{uuid.uuid4().hex[:8]}"
        if not NODE_ID.fullmatch(self.node_id):
            raise ValueError(f"node id {self.node_id!r}: use letters, digits, '-', '_' and '.'")
        self.host = host
        self.port = port
        self.p2p = p2p
        self.namespace = namespace
        self.agents = tuple_of(f"node {self.node_id!r}", "agents", agents)
        _check_names(namespace, [agent.name for agent in self.agents])
        self._registry = registry or DefaultRegistry()
        check_type(f"node {self.node_id!r}", "registry", self._registry, Registry)
        check_type(f"node {self.node_id!r}", "port", port, int)
        if not 0 <= port <= 65535:
            raise ValueError(f"node {self.node_id!r}: port must be 0 to 65535, not {port}")
        self._advertise_host = advertise_host or (LOOPBACK if host in EVERYWHERE_OR_LOCAL else host)
        self._key_file = None if private_network_key is None else Path(private_network_key)
        self._joined_as: Joined | None = None
        self._stopping: Stopping | None = None
        self._running: concurrent.futures.Future[None] | None = None
        self._joined = threading.Event()

    @property
    def url(self) -> str:
        """Where it answers over HTTP."""
        host = self._advertise_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def build_server(self, daemon: bool = False, *, within: float = START_SECONDS) -> None:
        """Join the mesh and serve.

        Args:
            daemon: True: return once the node has joined, and serve until :meth:`stop_server` or the end of the
                program. False: serve until Ctrl-C or SIGTERM.
            within: seconds to join in.

        Raises:
            CallError: ``NotReady``: the registry does not answer in time.
            LocalError: the sidecar's programs are missing.
            OSError: the port is in use.
            RuntimeError: it serves already, or the caller is asynchronous.
        """
        synchronous_only("call build_server in a thread, as by asyncio.to_thread")
        if self._running is not None:
            raise RuntimeError(f"node {self.node_id!r} serves already")
        self._joined.clear()
        running = self._running = asyncio.run_coroutine_threadsafe(self._serve(), background_loop())
        running.add_done_callback(lambda _: self._joined.set())
        atexit.register(self.stop_server)
        try:
            with _terminated_by_sigterm(not daemon):
                self._until_joined(within)
                if running.done() or not daemon:
                    running.result()
        except BaseException as error:
            self.stop_server()
            if daemon or not isinstance(error, KeyboardInterrupt):
                raise

    def _until_joined(self, within: float) -> None:
        if not self._joined.wait(within):
            raise CallError(
                "NotReady",
                f"node {self.node_id!r} has not joined its mesh within {within:g} s",
                hint="check that the registry runs, and its address",
                status=503,
            )

    def stop_server(self) -> None:
        """Leave the mesh, finish what runs within ten seconds, and serve no more. Not serving is no error.

        An agent of the node may call it too; then it returns before the node has stopped.
        """
        atexit.unregister(self.stop_server)
        running, self._running = self._running, None
        if running is None:
            return
        background_loop().call_soon_threadsafe(self._stop)
        if on_background_loop():
            return
        with suppress(Exception):  # build_server has raised it
            running.result()

    def send_message(
        self,
        receiver: str,
        message: str,
        *,
        user_id: str = "default",
        session_id: str | None = None,
        within: float = 300,
    ) -> str:
        """Ask somebody in the mesh.

        Args:
            receiver: ``<agent>`` of the own namespace, ``<agent>.<namespace>``, or the id of a node with one agent.
            message: what to do.
            user_id: whose memories may be used.
            session_id: the conversation that the message goes on with.
            within: seconds to answer in.

        Raises:
            CallError: there is nobody of that name, or they cannot be reached.
            RunError: they have no answer.
            RuntimeError: the node does not serve, or the caller is asynchronous.
        """
        synchronous_only("await asend_message() instead")
        return self._send(receiver, message, user_id, session_id, within).result()

    async def asend_message(
        self,
        receiver: str,
        message: str,
        *,
        user_id: str = "default",
        session_id: str | None = None,
        within: float = 300,
    ) -> str:
        """As :meth:`send_message`, for asynchronous programs."""
        return await asyncio.wrap_future(self._send(receiver, message, user_id, session_id, within))

    def publish(
        self, topic: str, payload: Any, *, priority: Priority = Priority.NORMAL, within: float = PATIENCE_SECONDS
    ) -> int:
        """Publish to all in the mesh who listen to a topic.

        Args:
            topic: where; ``"*"``: to all who listen to any.
            payload: any JSON value, of 64 KiB at most.
            priority: whom it may overtake.
            within: seconds to wait until all have it in their line.

        Returns:
            How many have it by then. All who listen get it, as long as they and this node are there.

        Raises:
            CallError: ``InvalidRequest``, ``BodyTooLarge``; ``QueueFull``: not all keep up, and nobody got it.
            RuntimeError: the node does not serve, or the caller is asynchronous.
        """
        synchronous_only("await apublish() instead")
        return self._publish(topic, payload, priority, within).result()

    async def apublish(
        self, topic: str, payload: Any, *, priority: Priority = Priority.NORMAL, within: float = PATIENCE_SECONDS
    ) -> int:
        """As :meth:`publish`, for asynchronous programs."""
        return await asyncio.wrap_future(self._publish(topic, payload, priority, within))

    def listen(self, *topics: str) -> Messages:
        """Hear what is published from now on to one of ``topics``, or to everybody.

        Raises:
            CallError: ``InvalidRequest``: a name that no topic can have. ``TooManyTopics``.
            RuntimeError: the node does not serve.
        """
        here = self._serving().topics.here

        async def listen() -> Messages:
            return Messages(here.listen(topics))

        return asyncio.run_coroutine_threadsafe(listen(), background_loop()).result()

    def _publish(self, topic: str, payload: Any, priority: Priority, within: float) -> concurrent.futures.Future[int]:
        here = self._serving().topics.here

        async def publish() -> int:
            begun = time.monotonic()
            published = await here.publish(topic, payload, priority=priority, within=within)
            return await published.settled_within(within - (time.monotonic() - begun))

        return asyncio.run_coroutine_threadsafe(publish(), background_loop())

    def _serving(self) -> Joined:
        if self._joined_as is None:
            raise RuntimeError(f"node {self.node_id!r} does not serve: call build_server(daemon=True) before")
        return self._joined_as

    def _send(
        self, receiver: str, message: str, user_id: str, session_id: str | None, within: float
    ) -> concurrent.futures.Future[str]:
        mesh = self._serving().mesh

        async def ask() -> str:
            context = CallContext(deadline=time.monotonic() + within, user_id=user_id, session_id=session_id)
            if mesh.has_node(receiver):
                return (await mesh.ask_node(receiver, message, context)).text
            return (await mesh.ask(receiver, message, context)).text

        return asyncio.run_coroutine_threadsafe(ask(), background_loop())

    def _stop(self) -> None:
        if self._stopping is not None:
            self._stopping.stop.set()

    async def _serve(self) -> None:
        self._stopping = Stopping()
        try:
            with listen(self.host, self.port) as listening:
                self.port = listening.getsockname()[1]
                settings = NodeSettings.model_construct(
                    node_id=self.node_id,
                    namespace=self.namespace,
                    mesh_id=self._registry.mesh_id,
                    host=self.host,
                    port=self.port,
                    advertise_host=self._advertise_host,
                    drain_seconds=DRAIN_SECONDS,
                )
                url, mesh_id = self._registry.url, self._registry.mesh_id
                local_key = None if url is None else key_of_local_mesh(url, mesh_id)
                if not self.p2p:
                    if local_key is not None:
                        log().warning(WITHOUT_SIDECAR, self.node_id, mesh_id)
                    await self._serve_with(settings, listening)
                    return
                async with own_sidecar(settings, self._key_file or local_key) as with_sidecar:
                    await self._serve_with(with_sidecar, listening)
        finally:
            self._joined_as = None

    async def _serve_with(self, settings: NodeSettings, listening: socket.socket) -> None:
        def hosted(_: Asks) -> list[Built]:
            return [self._hosted(agent) for agent in self.agents]

        def joined(joined: Joined) -> None:
            self._joined_as = joined
            self._joined.set()

        assert self._stopping is not None  # noqa: S101  (made before)
        await serve(settings, listening, hosted, self._stopping, registry=self._registry, joined=joined)

    def _hosted(self, agent: Runner) -> Hosted:
        return Hosted(agent.name, self.namespace, "Team" if isinstance(agent, IsekTeam) else "Agent", agent)


def _check_names(namespace: str, names: list[str]) -> None:
    for name in (namespace, *names):
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot stand in an address: use up to 63 of a-z, 0-9 and -")
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two agents of a node are called {', '.join(map(repr, sorted(twice)))}: rename one")


@contextmanager
def _terminated_by_sigterm(wanted: bool) -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, where it is wanted and this is the main thread."""
    if not wanted or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
