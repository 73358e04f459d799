"""Asking agents anywhere in the mesh by their address."""

import asyncio
import difflib
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from yarl import URL

from isek.asking import Answer, CallContext
from isek.errors import CallError, IsekError
from isek.events import Event
from isek.node.settings import NodeSettings
from isek.protocol import headers
from isek.protocol.balance import Loads, nearest, of_session
from isek.protocol.bids import Bid
from isek.protocol.capability import CAPABILITY, Offers
from isek.protocol.delivery import deliver, new_key
from isek.protocol.http_client import HttpAnswer, HttpClient, OnStep
from isek.protocol.p2p import PeerUnreachableError, Sidecar, SidecarAwayError, path_of
from isek.protocol.plain_form import read_answer, request_body, request_headers
from isek.protocol.steps import STEPS, read_step
from isek.registry import NodeRecord, Registry
from isek.trace import Path, Stopwatch, Trace

MAX_ATTEMPTS = 5
"""Replicas that one call tries."""
START_SECONDS = 10.0
"""A mesh this young may not have heard of everybody yet."""
PATIENCE_SECONDS = 1.0
GIVE_UP_SECONDS = 2.0

Local = Callable[[str, str, CallContext], Awaitable[Answer]]


class Mesh:
    """Resolves addresses by the registry and carries calls: in process, over libp2p, or over HTTP.

    Args:
        registry: who is there.
        settings: of this node: its id and namespace.
        hosts: whether this node itself hosts an agent or team of that name.
        local: asks an agent that lives on this node: its name, the message, the context of its run.
        bids: what agents of this node say that have a capability.
        sidecar: carries all calls to other nodes, which need one too; None: HTTP to all. Where the settings say so,
            HTTP is also the last path to an agent of the same cluster that it reaches on no other.
        called: told of the end of each call: its path, and the code of its error, if any.
    """

    def __init__(
        self,
        registry: Registry,
        settings: NodeSettings,
        *,
        hosts: Callable[[str], bool],
        local: Local,
        bids: Callable[[str], tuple[Bid, ...]] = lambda capability: (),
        sidecar: Sidecar | None = None,
        called: Callable[[Path, str | None], None] = lambda path, error: None,
    ) -> None:
        self._registry = registry
        self._namespace = settings.namespace
        self._own = NodeRecord(
            node_id=settings.node_id,
            namespace=settings.namespace,
            cluster=settings.cluster,
            region=settings.region,
            zone=settings.zone,
            host=settings.advertise_host,
            port=settings.port,
        )
        self._hosts = hosts
        self._local = local
        self._sidecar = sidecar
        self._http_is_last = sidecar is not None and settings.p2p_fallback == "HTTP"
        self._called = called
        self._http = HttpClient(settings.max_body_bytes)
        self._loads = Loads()
        self._giving_up: set[asyncio.Task[None]] = set()
        self._patient_until = time.monotonic() + START_SECONDS
        self._offers = Offers(registry, settings.node_id, bids_here=bids, post=self.post, ask_at=self.ask_at)

    async def close(self) -> None:
        """Close the connections; the registry and the sidecar are others' to close."""
        await asyncio.gather(*self._giving_up)
        await self._http.close()

    async def ask(self, address: str, message: str, context: CallContext) -> Answer:
        """See :class:`isek.asking.Asks`. Another replica is tried only when nothing has happened yet."""
        capability = address.removeprefix(CAPABILITY) if address.startswith(CAPABILITY) else None
        address = address if capability else self._full(address)
        watch = _Stopwatch()
        try:
            deeper = context.deeper(self._full(context.agent) if context.agent else "")
            if capability:
                answer = await self._offers.ask(capability, message, deeper)
            else:
                answer = await self._ask_replicas(address, message, deeper)
        except IsekError as error:
            if error.trace is None:
                error.trace = watch.unseen(address, self._own, "local", error.code)
            context.children.append(error.trace)
            raise
        if answer.trace is not None:
            context.children.append(answer.trace)
        return answer

    def describe(self, address: str) -> str:
        """See :class:`isek.asking.Asks`: as the registry has it."""
        if address.startswith(CAPABILITY):
            return f"Whoever in the mesh offers {address.removeprefix(CAPABILITY)!r}."
        address = self._full(address)
        name = address.partition(".")[0]
        agents = (agent for record in self._registry.find(address) for agent in record.agents)
        return next((agent.description for agent in agents if agent.name == name), "")

    def _full(self, address: str) -> str:
        return address if "." in address else f"{address}.{self._namespace}"

    async def ask_node(self, node_id: str, message: str, context: CallContext) -> Answer:
        """Ask the only agent of a node.

        Raises:
            CallError: as :meth:`ask`; ``AgentNotFound``: there is no such node, or it hosts none or several.
        """
        record = next((each for each in self._registry.peers() if each.node_id == node_id), None)
        names = [] if record is None else [agent.name for agent in record.agents]
        if record is None or len(names) != 1:
            what = "is not in the mesh" if record is None else f"hosts {', '.join(names) or 'nobody'}"
            raise CallError("AgentNotFound", f"node {node_id!r} {what}", hint="name an agent", status=404)
        replica = self._own if node_id == self._own.node_id else record
        return await self._ask(replica, f"{names[0]}.{record.namespace}", message, context.deeper())

    def has_node(self, node_id: str) -> bool:
        """Whether a node of that id is in the mesh."""
        return any(record.node_id == node_id for record in self._registry.peers())

    async def _ask_replicas(self, address: str, message: str, context: CallContext) -> Answer:
        replicas = await self._replicas(address, context)
        unreached: list[NodeRecord] = []
        tried = 0
        while True:
            replica = self._choose(replicas, context.session_id)
            try:
                return await self._ask(replica, address, message, context)
            except CallError as error:
                tried += 1
                replicas.remove(replica)
                if isinstance(error, PeerUnreachableError):
                    unreached.append(replica)
                if isinstance(error, SidecarAwayError):
                    unreached += [replica, *replicas]
                elif error.retryable and replicas and tried < MAX_ATTEMPTS:
                    continue
                elif not error.retryable:
                    raise
                near = [each for each in unreached if each is not self._own and each.cluster == self._own.cluster]
                if not near or not self._http_is_last:
                    raise
                return await self._ask_over_http(near, address, message, context, error)

    async def _ask_over_http(
        self, replicas: list[NodeRecord], address: str, message: str, context: CallContext, why: CallError
    ) -> Answer:
        """The last path, once nothing can have happened on the others; who is asked does not know the caller."""
        while True:
            replica = self._choose(replicas, context.session_id)
            try:
                return await self._ask(replica, address, message, context, "http")
            except CallError as error:
                replicas.remove(replica)
                if error.retryable and replicas:
                    continue
                if not error.retryable and not _is_refusal(error):
                    raise
                raise CallError(
                    why.code,
                    f"{why.message}; over HTTP: {error.code}: {error.message}",
                    hint=why.hint,
                    status=why.status,
                    trace=error.trace,
                    retryable=True,
                ) from None

    async def _replicas(self, address: str, context: CallContext) -> list[NodeRecord]:
        """Where the agent lives; this node comes first when it is one of them.

        Raises:
            CallError: ``AgentNotFound``; ``AgentUnreachable`` when only nodes without a sidecar host it, and this one
                has one: what a mesh encrypts does not go out in plain text.
        """
        name, _, namespace = address.partition(".")
        own = [self._own] if namespace == self._namespace and self._hosts(name) else []
        found = self._registry.find(address)
        if not found and not own and time.monotonic() < self._patient_until:
            patience = min(PATIENCE_SECONDS, context.remaining_seconds())
            found = await self._registry.wait_for(lambda: self._registry.find(address), patience)
        replicas = own + [record for record in found if record.node_id != self._own.node_id]
        if not replicas:
            raise self._not_found(address)
        if self._sidecar is None:
            return replicas
        reachable = [record for record in replicas if record is self._own or record.p2p_address]
        if not reachable:
            raise _no_p2p_address(address, replicas)
        return reachable

    def _choose(self, replicas: list[NodeRecord], session_id: str | None) -> NodeRecord:
        if session_id is not None:
            return of_session(replicas, session_id)
        return self._own if replicas[0] is self._own else nearest(replicas, self._own, self._loads)

    async def ask_at(self, node: NodeRecord, address: str, message: str, context: CallContext) -> Answer:
        """Ask an agent on a node, and no other of its replicas; ``context`` is that of the call.

        Raises:
            CallError: as :meth:`ask`.
        """
        return await self._ask(self._own if node.node_id == self._own.node_id else node, address, message, context)

    async def _ask(
        self, replica: NodeRecord, address: str, message: str, context: CallContext, path: Path | None = None
    ) -> Answer:
        way = _Way(path or self._path_to(replica))
        watch = _Stopwatch()
        try:
            if way.path == "local":
                answer = await self._local(address.partition(".")[0], message, context)
            else:
                answer = await self._ask_far(replica, address, message, context, way)
        except IsekError as error:
            error.trace = watch.seen_from_here(error.trace, address, replica, way.path, error.code)
            self._called(way.path, error.code)
            raise
        self._called(way.path, None)
        return Answer(answer.text, watch.seen_from_here(answer.trace, address, replica, way.path))

    def _path_to(self, replica: NodeRecord) -> Path:
        if replica is self._own:
            return "local"
        return "http" if self._sidecar is None else "libp2p"

    async def _ask_far(
        self, replica: NodeRecord, address: str, message: str, context: CallContext, way: "_Way"
    ) -> Answer:
        body, said, key = request_body(self._own.node_id, message, context), request_headers(context), new_key()
        on_step = None if context.on_event is None else _teller(context.on_event, context)
        sidecar = None if way.path == "http" else self._sidecar

        async def post(more: Mapping[str, str], within: float) -> HttpAnswer:
            listening = {} if on_step is None else {"Accept": STEPS}
            sent = {**said, **listening, **more}
            return await self._request(
                sidecar, replica, address, "POST", body, sent=sent, within=within, on_step=on_step
            )

        with self._loads.calling(replica.node_id):
            try:
                answer = await deliver(post, key, context, address)
            except CallError as error:
                if error.retryable:
                    self._loads.unreachable(replica.node_id)
                raise
            except asyncio.CancelledError:
                self._give_up(sidecar, replica, address, {**said, headers.IDEMPOTENCY_KEY: key})
                raise
        if sidecar is not None:
            way.path = path_of(answer.headers)
        load = answer.headers.get(headers.LOAD, "")
        if load.isdecimal():
            self._loads.report(replica.node_id, float(load))
        return read_answer(answer, address)

    def _give_up(self, sidecar: Sidecar | None, replica: NodeRecord, address: str, sent: Mapping[str, str]) -> None:
        """Let the other side end the run at once: cut off without a word, it waits for the call to be told again."""

        async def tell() -> None:
            with suppress(CallError):
                await self._request(sidecar, replica, address, "DELETE", None, sent=sent, within=GIVE_UP_SECONDS)

        telling = asyncio.create_task(tell(), name="give up")
        self._giving_up.add(telling)
        telling.add_done_callback(self._giving_up.discard)

    async def _request(
        self,
        sidecar: Sidecar | None,
        replica: NodeRecord,
        address: str,
        method: str,
        body: bytes | None,
        *,
        sent: Mapping[str, str],
        within: float,
        on_step: OnStep | None = None,
    ) -> HttpAnswer:
        path = f"/agents/{address.partition('.')[0]}"
        to = f"{address} on {replica.node_id}"
        return await self._carry(sidecar, replica, method, path, body, sent=sent, to=to, within=within, on_step=on_step)

    async def post(self, node: NodeRecord, path: str, body: bytes, within: float) -> HttpAnswer:
        """Send JSON to a path of another node, and return its answer within so many seconds.

        Raises:
            CallError: there is none.
        """
        sent = {"Content-Type": "application/json", headers.TIMEOUT: str(int(within * 1000))}
        return await self._carry(self._sidecar, node, "POST", path, body, sent=sent, to=node.node_id, within=within)

    async def _carry(
        self,
        sidecar: Sidecar | None,
        node: NodeRecord,
        method: str,
        path: str,
        body: bytes | None,
        *,
        sent: Mapping[str, str],
        to: str,
        within: float,
        on_step: OnStep | None = None,
    ) -> HttpAnswer:
        if sidecar is not None:
            return await sidecar.call_peer(
                node.all_p2p_addresses, method, path, body, sent, to=to, within=within, on_step=on_step
            )
        url = URL(node.url + path, encoded=True)
        return await self._http.request(method, url, to=to, headers=sent, within=within, body=body, on_step=on_step)

    def _not_found(self, address: str) -> CallError:
        known = self._registry.addresses()
        near = difflib.get_close_matches(address, known, n=3)
        if near:
            hint = f"did you mean {' or '.join(near)}?"
        elif known:
            hint = f"known are {', '.join(known[:10])}{' and more' if len(known) > 10 else ''}"
        else:
            hint = "no agent is registered in this mesh yet; check that its node is ready"
        return CallError(
            "AgentNotFound", f"no agent {address!r} in mesh {self._registry.mesh_id}", hint=hint, status=404
        )


def _teller(tell: Callable[[Event], None], context: CallContext) -> OnStep:
    """Tells whoever listens to a run what those do that it asks elsewhere; its node counts their steps."""

    async def on_step(line: bytes) -> None:
        if (event := read_step(line)) is not None:
            tell(event)
            await context.keep_pace()

    return on_step


def _is_refusal(error: CallError) -> bool:
    """Of the caller, and not one that the agent met with itself."""
    return error.code in {"Forbidden", "Unauthorized"} and not (error.trace and error.trace.children)


def _no_p2p_address(address: str, replicas: list[NodeRecord]) -> CallError:
    nodes = ", ".join(record.node_id for record in replicas[:MAX_ATTEMPTS])
    return CallError(
        "AgentUnreachable",
        f"no node that hosts {address} has a p2p address: {nodes}",
        hint="all nodes of a mesh need a sidecar, or none; restart those that were started without one",
    )


@dataclass
class _Way:
    """How a call goes, as far as is known: whether directly or through a relay, the sidecar says with the answer."""

    path: Path


class _Stopwatch(Stopwatch):
    def unseen(self, address: str, node: NodeRecord, path: Path, error: str | None = None) -> Trace:
        """What can be said about a call whose other side said nothing about itself."""
        return self.trace(agent=address, node=node.node_id, peer_id=node.peer_id, path=path, error=error)

    def seen_from_here(
        self, told: Trace | None, address: str, node: NodeRecord, path: Path, error: str | None = None
    ) -> Trace:
        """The other side's trace, with the caller's path and time: only the caller knows the way there and back."""
        seen = self.unseen(address, node, path, error)
        if told is None:
            return seen
        return told.model_copy(update={"path": path, "duration_ms": seen.duration_ms})
