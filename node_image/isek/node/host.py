"""Runs what the node hosts: within its limits, traced, counted, and with an orderly end."""

import asyncio
import hashlib
import time
from collections.abc import Iterable
from dataclasses import replace

from isek.asking import Answer, Asks, CallContext, Publishes
from isek.colleague import handed_on
from isek.errors import CallError, IsekError
from isek.log import log
from isek.loop_result import Wanted
from isek.models.base import Message
from isek.node.allowed import check_agent
from isek.node.hosted import Broken, Built, Hosted
from isek.node.metrics import OK, Metrics
from isek.node.replays import Call, Replays
from isek.protocol.bids import Bid
from isek.registry.claims import Claims
from isek.tools.function import as_text
from isek.trace import Path, Stopwatch
from isek.unexpected import unexpected_error


class Host:
    """The agents and teams of one node.

    Args:
        node_id: stands in the traces.
        metrics: counts the runs.
    """

    def __init__(self, node_id: str, metrics: Metrics) -> None:
        self._node_id = node_id
        self._metrics = metrics
        self._hosted: dict[str, Hosted] = {}
        self._broken: dict[str, Broken] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._replays = Replays()
        self.peer_id: str | None = None
        """The node's own libp2p peer id, once its sidecar has told it."""
        self.asks: Asks | None = None
        """Carries what the runs ask by address."""
        self.publishes: Publishes | None = None
        """Carries what the runs publish."""
        self.claims: Claims | None = None
        """Where runs are claimed that several could have been asked for."""
        self.closing = False
        """Whether connections end with their next answer."""
        self.draining = False
        """Whether new work is refused."""
        self.running = 0
        """Runs right now."""

    def take_in(self, built: Iterable[Built]) -> None:
        """Host these from now on; of one that could not be built, say why whenever it is asked."""
        for entry in built:
            if isinstance(entry, Hosted):
                self._hosted[entry.name] = entry
            else:
                self._broken[entry.name] = entry
                log().error("{} cannot run: {}", entry.address, entry.message)

    @property
    def hosted(self) -> tuple[Hosted, ...]:
        """All that live here."""
        return tuple(self._hosted.values())

    @property
    def broken(self) -> tuple[Broken, ...]:
        """All that should live here, and cannot."""
        return tuple(self._broken.values())

    @property
    def built(self) -> tuple[Hosted, ...] | tuple[Broken, ...]:
        """All that live here; where none does, all that should: who may ask one of them may know of the mesh."""
        return self.hosted or self.broken

    def hosts(self, name: str) -> bool:
        """Whether an agent or a team of that name lives here."""
        return name in self._hosted

    def find(self, name: str | None) -> Hosted:
        """The agent or team ``name``; without a name, the only one.

        Raises:
            CallError: ``AgentNotFound``; the message lists what is there. ``AgentInvalid``: it could not be built.
        """
        if name is None and len(self._hosted) + len(self._broken) == 1:
            name = next(iter((*self._hosted, *self._broken)))
        if name is not None and name in self._hosted:
            return self._hosted[name]
        if name is not None and name in self._broken:
            broken = self._broken[name]
            raise CallError(
                "AgentInvalid",
                f"{broken.address} cannot run: {broken.message}",
                hint=f"mend the {broken.kind}, or its code",
                status=503,
            )
        wanted = "a default agent" if name is None else f"an agent {name!r}"
        raise CallError(
            "AgentNotFound",
            f"this node does not host {wanted}; it hosts: {', '.join(sorted(self._hosted)) or 'none'}",
            hint="take one of these names: GET /v1/models lists them, POST /agents/<name> asks one"
            if self._hosted
            else "",
            status=404,
        )

    async def answer_local(self, name: str, message: str, context: CallContext) -> Answer:
        """Like :meth:`answer`, for one who asks in process.

        Raises:
            CallError: ``Forbidden``; as :meth:`answer`.
        """
        hosted = self.find(name)
        check_agent(hosted, context.caller, hosted.namespace)  # all that a node hosts lives in one namespace
        return await self.answer(name, message, context, path="local")

    async def answer(self, name: str, message: str | Message, context: CallContext, *, path: Path) -> Answer:
        """Let an agent answer ``message``; ``context.on_event`` is told of each step. With an idempotency key the call
        runs once, however often it is told.

        Raises:
            CallError: ``AgentNotFound``, ``TooManyTasks``, ``Draining``; see :meth:`isek.node.replays.Replays.once`.
            RunError: there is no answer; the error's ``trace`` tells what was asked until then.
        """
        hosted = self.find(name)
        if context.idempotency_key is None:
            return await self._answer(hosted, message, context, path)
        question = (message, context.session_id, context.user_id, context.brought)
        asked = hashlib.blake2b(repr(question).encode(errors="replace")).digest()
        return await self._replays.once(
            _call(hosted.name, context, context.idempotency_key.key),
            asked,
            lambda observed: self._answer(hosted, message, observed, path),
            context,
        )

    def give_up(self, name: str, context: CallContext) -> None:
        """End the run of a call, known by its idempotency key, to which its caller wants no answer any more."""
        if context.idempotency_key is not None:
            self._replays.give_up(_call(name, context, context.idempotency_key.key))

    async def _answer(self, hosted: Hosted, message: str | Message, context: CallContext, path: Path) -> Answer:
        watch = Stopwatch()
        outcome = OK
        answered, error = Answer(""), None
        try:
            answered = await self._run(hosted, message, self._own(context, hosted), local=path == "local")
        except IsekError as known:
            error, outcome = known, known.code
        except asyncio.CancelledError:
            outcome = "Cancelled"
            raise
        except Exception:
            error, outcome = unexpected_error(hosted.address), "InternalError"
        finally:
            trace = watch.trace(
                agent=hosted.address,
                node=self._node_id,
                peer_id=self.peer_id,
                caller=context.caller or context.outsider,
                path=path,
                error=None if outcome == OK else outcome,
                children=context.children,
            )
            self._metrics.requests.labels(hosted.name, outcome).inc()
            self._metrics.durations.labels(hosted.name).observe(trace.duration_ms / 1000)
            log().info(
                "asked",
                agent=hosted.name,
                outcome=outcome,
                durationMs=round(trace.duration_ms, 1),
                path=path,
                peerId=context.peer_id,
                caller=context.caller or context.outsider,
                reason=error.message if error else None,
            )
        if error is not None:
            error.trace = trace
            raise error
        return replace(answered, trace=trace)

    async def idle(self) -> None:
        """Return once nothing runs."""
        await self._idle.wait()

    async def aclose(self) -> None:
        """End what runs still, and let go of what the agents hold open."""
        await self._replays.aclose()
        for hosted in self._hosted.values():
            await hosted.runner.aclose()

    def _own(self, context: CallContext, hosted: Hosted) -> CallContext:
        return replace(
            context,
            hosted_as=hosted.address,
            node_id=self._node_id,
            asks=self.asks,
            publishes=self.publishes,
            observe=self._metrics.observer(hosted.name),
        )

    async def _run(self, hosted: Hosted, message: str | Message, context: CallContext, *, local: bool) -> Answer:
        # What runs here still may ask its neighbours: refusing them would break what the node is to finish.
        if self.draining and not local:
            raise CallError(
                "Draining", f"node {self._node_id} is shutting down", hint="ask again", status=503, retryable=True
            )
        limit = hosted.max_concurrent_tasks
        if hosted.running >= limit:
            raise CallError(
                "TooManyTasks",
                f"{hosted.address} works on {hosted.running} of {limit} tasks already",
                hint="ask again in a moment, raise limits.maxConcurrentTasks, or add replicas",
                status=429,
                retryable=True,
            )
        context = replace(context, deadline=min(context.deadline, time.monotonic() + hosted.timeout_seconds))
        self._count(hosted, +1)
        try:
            work = self._work(hosted, message, context)
            if context.claim is None or self.claims is None:
                return await work
            return await self.claims.hold(context.claim, work)
        finally:
            self._count(hosted, -1)

    async def _work(self, hosted: Hosted, message: str | Message, context: CallContext) -> Answer:
        begun = time.monotonic()
        result = await hosted.runner.respond(message, context)
        hosted.effort.add(time.monotonic() - begun, result.total_tokens)
        answer = await handed_on(result.answer(), context)
        if isinstance(answer, Wanted):
            return Answer(answer.text, wanted=answer)
        return Answer(as_text(answer), structured=not isinstance(answer, str))

    def bids(self, capability: str) -> tuple[Bid, ...]:
        """What those say that have a capability, and room for one more task."""
        return tuple(
            Bid(
                agent=hosted.address,
                load=hosted.running / hosted.max_concurrent_tasks,
                seconds=hosted.effort.seconds,
                tokens=hosted.effort.tokens,
            )
            for hosted in self._hosted.values()
            if capability in hosted.capabilities and hosted.running < hosted.max_concurrent_tasks and not self.draining
        )

    def _count(self, hosted: Hosted, change: int) -> None:
        hosted.running += change
        self.running += change
        self._metrics.running.labels(hosted.name).set(hosted.running)
        if self.running:
            self._idle.clear()
        else:
            self._idle.set()


def _call(agent: str, context: CallContext, key: str) -> Call:
    return Call(context.outsider or context.peer_id or "", agent, key)
