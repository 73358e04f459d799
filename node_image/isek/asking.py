"""How one agent asks another: the contract between what thinks (``isek.agent``, ``isek.team``) and what carries
(``isek.protocol``)."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from isek.errors import CallError
from isek.events import Event
from isek.loop_result import LoopResult, Wanted
from isek.models.base import Message, OutputSchema, ToolSchema

if TYPE_CHECKING:
    from isek.topics.message import Priority
    from isek.trace import Trace

DEFAULT_USER = "default"
MAX_CALL_DEPTH = 16
"""Agents that ask agents, at most this deep: calls in circles end here."""
BEGUN_BY = ">"
"""In the id of a session, between that in which somebody asked another, and who asked: ``monday>newsroom``."""


@dataclass(frozen=True)
class Answer:
    """What an agent answered."""

    text: str
    trace: "Trace | None" = None
    """The asked agent's own part, with its children below."""
    structured: bool = False
    """Whether the agent answered with an object: ``text`` is JSON then."""
    wanted: Wanted | None = None
    """What the caller is to do before there is an answer, by tools that it brought along."""


@dataclass(frozen=True)
class Brought:
    """What a caller brings along to the one run that it asks for, beside its message."""

    before: tuple[Message, ...] = ()
    """What was said before the message."""
    after: tuple[Message, ...] = ()
    """What the message has led to so far: calls of the caller's tools, and what they said."""
    tools: tuple[ToolSchema, ...] = ()
    """Tools that the caller calls itself."""
    must_call: bool = False
    """Whether the run has to want one of them."""
    one_call: bool = False
    """Whether it may want but one at a time."""
    output: OutputSchema | None = None
    """The form that the answer is to have."""


@dataclass(frozen=True)
class IdempotencyKey:
    """What a call is known by when it is told once more: it runs once."""

    key: str
    """The caller's own, new for each call."""
    tried_seconds_ago: float | None = None
    """When the call was first sent, if that was before and what became of it is not known."""
    patient: bool = True
    """Whether the run goes on for a while when its caller is cut off, for a replay of the call to find it."""


@dataclass(frozen=True)
class CallContext:
    """What travels with a run, and from there with every call that it makes."""

    deadline: float
    """On the clock of ``time.monotonic()``, seconds."""
    session_id: str | None = None
    """The conversation that the message belongs to; None: one of its own, of which nothing is kept."""
    user_id: str = DEFAULT_USER
    """Whose memories may be used; never an identity."""
    agent: str = ""
    """Who works on it, once it does."""
    depth: int = 0
    """Calls above this one, from agent to agent."""
    traceparent: str | None = None
    """W3C trace context of the caller."""
    peer_id: str | None = None
    """The libp2p peer that called in, when the own sidecar vouches for it."""
    idempotency_key: IdempotencyKey | None = None
    """What this call alone is known by, where its caller may tell it again."""
    caller: str | None = None
    """The agent or team that asks, as ``<name>.<namespace>``; None: whoever asks is none, or not known for certain."""
    outsider: str | None = None
    """Who asks from outside of the mesh, by what their token says: ``token:<name>`` or ``jwt:<subject>``."""
    hosted_as: str = ""
    """The address of the hosted agent or team on behalf of which all this happens; empty: a script."""
    claim: str | None = None
    """The task that is to be claimed in the registry while this runs; None: nobody else could be asked the same."""
    children: "list[Trace]" = field(default_factory=list)
    """Filled by whoever asks on behalf of this run; becomes the trace's children."""
    spent: list[int] = field(default_factory=list)
    """Tokens of those in this process that were asked on behalf of this run."""
    node_id: str | None = None
    """The node that works on it; None: a script."""
    asks: "Asks | None" = None
    """Carries what the run asks by address; None: a script, which is in no mesh."""
    publishes: "Publishes | None" = None
    """Carries what the run publishes; None: a script, which is in no mesh."""
    on_event: Callable[[Event], None] | None = None
    """Is told of each step as it happens; with it, models are asked to answer piece by piece."""
    reader: Callable[[], Awaitable[None]] | None = None
    """Returns once whoever reads what ``on_event`` is told is not far behind."""
    observe: Callable[[Event], None] | None = None
    """Is told of each step, too; it changes nothing."""
    brought: Brought | None = None
    """What the caller brought along; it goes no further than to whom it asks."""

    @property
    def owner(self) -> str:
        """Whose it is what the call leaves behind; empty: nobody's whom we know."""
        return self.caller or self.outsider or self.peer_id or ""

    def tell(self, event: Event) -> None:
        """Say what happens."""
        if self.on_event is not None:
            self.on_event(event)
        if self.observe is not None:
            self.observe(event)

    async def keep_pace(self) -> None:
        """Wait for whoever reads along: to be called between the pieces of an answer that may be long."""
        if self.reader is not None:
            await self.reader()

    def remaining_seconds(self) -> float:
        """Seconds until the deadline, never below 0."""
        return max(0.0, self.deadline - time.monotonic())

    async def publish(self, topic: str, payload: Any, *, priority: "Priority | None" = None) -> int:
        """Publish to a topic of the mesh.

        Args:
            topic: where; ``"*"``: to all who listen to any.
            payload: any JSON value.
            priority: whom it may overtake; default: ``Priority.NORMAL``.

        Returns:
            How many listened.

        Raises:
            CallError: the topic or the payload cannot be used; those who listen do not keep up; ``NotInMesh``: a
                script has no mesh.
        """
        from isek.topics.message import Priority  # noqa: PLC0415  (it needs pydantic)

        if self.publishes is None:
            raise CallError("NotInMesh", "a script is in no mesh, and nobody would hear it", hint="host it on a node")
        return await self.publishes.publish_from(self, topic, payload, priority or Priority.NORMAL)

    def deeper(self, asker: str = "") -> "CallContext":
        """The context of a call that this run makes.

        What ``asker`` (default: ``agent``) asks goes on in a session of its own below this one: whom several ask, in
        one conversation, talks with each of them by itself.

        Raises:
            CallError: ``CallDepthExceeded``.
        """
        if self.depth >= MAX_CALL_DEPTH:
            raise CallError(
                "CallDepthExceeded",
                f"agents asked each other {MAX_CALL_DEPTH} calls deep",
                hint="look for agents that ask each other in a circle",
                status=508,
            )
        asker, session_id = asker or self.agent, self.session_id
        if session_id is not None and asker:
            session_id = f"{session_id}{BEGUN_BY}{asker}"
        return replace(
            self,
            depth=self.depth + 1,
            children=[],
            session_id=session_id,
            agent="",
            idempotency_key=None,
            caller=self.hosted_as or asker or None,
            outsider=None,
            peer_id=None,
            claim=None,
            brought=None,
        )


class Asks(Protocol):
    """Asks agents by their address."""

    async def ask(self, address: str, message: str, context: CallContext) -> Answer:
        """Ask ``<agent>`` (of the own namespace) or ``<agent>.<namespace>``.

        The trace of the call, also of one that failed, is appended to ``context.children``.

        Raises:
            CallError: the agent is not known, cannot be reached, or did not answer by the deadline.
            RunError: it was asked and failed; the code is its own.
        """
        ...

    def describe(self, address: str) -> str:
        """What an agent is good for, as it says itself, perhaps cut short; empty: not known now."""
        ...


class Publishes(Protocol):
    """Publishes to topics of the mesh."""

    async def publish_from(self, context: CallContext, topic: str, payload: Any, priority: "Priority") -> int:
        """Publish on behalf of a run, and return how many listened.

        Raises:
            CallError: the topic or the payload cannot be used; those who listen do not keep up.
        """
        ...


@runtime_checkable
class Runner(Protocol):
    """Answers messages: an agent, a team, or an adapter to something else."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def description(self) -> str:
        """What it is good for, in a sentence."""
        ...

    async def respond(self, message: str | Message, context: CallContext) -> LoopResult:
        """Work on ``message`` within the runner's limits and the context's deadline. Never raises an ``IsekError``."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...
