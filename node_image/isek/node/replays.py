"""Calls that are told more than once run once: a replay waits for the run there is, or is answered from memory."""

import asyncio
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from isek.asking import Answer, CallContext, IdempotencyKey
from isek.errors import CallError, IsekError
from isek.events import Event
from isek.trace import Trace

REMEMBERED = 10_000
"""Outcomes, at most."""
REMEMBERED_BYTES = 64 * 1024 * 1024
REMEMBERED_SECONDS = 600.0
PATIENCE_SECONDS = 10.0
"""A run whose caller was cut off goes on for so long: a replay of the call may be on its way."""
BYTES_A_TRACE = 1024
"""About."""

Run = Callable[[CallContext], Coroutine[Any, Any, Answer]]


@dataclass(frozen=True)
class Call:
    """What makes two requests one call: nobody gets to see what another caller was answered."""

    caller: str
    """Who it is, as far as the node knows."""
    agent: str
    key: str


class Replays:
    """The calls with an idempotency key that run now, and how the latest others ended.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: OrderedDict[Call, _Told] = OrderedDict()
        self._bytes = 0
        self._remembers_since = clock()

    async def once(self, call: Call, asked: bytes, run: Run, context: CallContext) -> Answer:
        """What ``run`` answers, however often it is asked for.

        Args:
            call: which one.
            asked: a digest of the question.
            run: is given ``context``, which goes on to be told of its steps as long as its caller waits.
            context: with the key.

        Raises:
            CallError: ``IdempotencyKeyReused``: with the same key something else was asked. ``DeliveryUnknown``: it was
                told before, to whom nothing is known of: perhaps it ran. ``CallCancelled``: it was given up while it
                ran. ``DeadlineExceeded``: it runs for longer than this caller waits.
            IsekError: what came of the run.
        """
        assert context.idempotency_key is not None  # noqa: S101  (else there is nothing to know it by)
        self._forget_old()
        told = self._told.get(call)
        if told is None:
            told = self._begin(call, asked, run, context, context.idempotency_key)
        elif told.asked != asked:
            raise CallError(
                "IdempotencyKeyReused",
                "the call with this idempotency key asked something else",
                hint="make a new key for each call",
                status=422,
            )
        return await told.outcome_for(context, patient=context.idempotency_key.patient)

    def give_up(self, call: Call) -> None:
        """End the run of a call that nobody wants an answer to any more."""
        if (told := self._told.get(call)) is not None:
            told.running.cancel()

    async def aclose(self) -> None:
        """End what runs."""
        running = [told.running for told in self._told.values()]
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _begin(self, call: Call, asked: bytes, run: Run, context: CallContext, key: IdempotencyKey) -> "_Told":
        now = self._clock()
        tried_before = key.tried_seconds_ago is not None
        if now - (key.tried_seconds_ago or 0) < self._remembers_since:
            raise CallError(
                "DeliveryUnknown",
                "the call was sent before, and this node does not remember that long: perhaps it ran",
                hint="look at what it was to do, then ask again as a new call",
                status=409,
            )
        told = self._told[call] = _Told(asked, now, run, context)

        def ended(_: "asyncio.Task[None]") -> None:
            outcome = told.outcome
            if isinstance(outcome, IsekError) and outcome.transient and not tried_before:
                del self._told[call]  # nothing has happened: it may be asked again
            else:
                told.size = _size(outcome)
                self._bytes += told.size
                self._forget_old()

        told.running.add_done_callback(ended)
        return told

    def _forget_old(self) -> None:
        """Let go of what is too old, and of the oldest that is too much."""
        eldest = self._clock() - REMEMBERED_SECONDS
        calls, size = len(self._told), self._bytes
        forgotten = []
        for call, told in self._told.items():  # from the oldest on, and no further than needed
            if calls <= REMEMBERED and size <= REMEMBERED_BYTES and told.begun > eldest:
                break
            if told.size:
                forgotten.append(call)
                calls, size = calls - 1, size - told.size
        for call in forgotten:
            told = self._told.pop(call)
            self._bytes -= told.size
            self._remembers_since = max(self._remembers_since, told.begun)


class _Told:
    """One call: who waits for it, and what came of it."""

    def __init__(self, asked: bytes, begun: float, run: Run, context: CallContext) -> None:
        self.asked = asked
        self.begun = begun
        self.outcome: Answer | IsekError | None = None
        self.size = 0
        """Bytes of memory, about; 0 until it has ended."""
        self._first: CallContext | None = context
        self._waiting = 0
        self._last_left: asyncio.TimerHandle | None = None
        tell = None if context.on_event is None else self._tell
        observed = replace(context, on_event=tell, reader=self._keep_pace)
        self.running = asyncio.create_task(self._run(run, observed), name="call")

    async def outcome_for(self, context: CallContext, *, patient: bool) -> Answer:
        """Wait for the run to end. It goes on while anyone waits, and a little longer where that is ``patient``."""
        if self._last_left is not None:
            self._last_left.cancel()
        self._waiting += 1
        try:
            left = None if context.deadline == float("inf") else context.remaining_seconds()
            await asyncio.wait([self.running], timeout=left if context is not self._first else None)
        finally:
            self._waiting -= 1
            if context is self._first:
                self._first = None
            if not self._waiting and not self.running.done():
                loop = asyncio.get_running_loop()
                self._last_left = loop.call_later(PATIENCE_SECONDS if patient else 0, self.running.cancel)
        if isinstance(self.outcome, Answer):
            return self.outcome
        if self.outcome is None and not self.running.done():
            raise CallError("DeadlineExceeded", "the call runs for longer than there is time", status=504)
        raise copy(self.outcome) if self.outcome else _cancelled()

    async def _run(self, run: Run, context: CallContext) -> None:
        try:
            self.outcome = await run(context)
        except IsekError as error:
            self.outcome = copy(error)  # without the frames that it came through
        except asyncio.CancelledError:
            self.outcome = _cancelled()
            raise

    def _tell(self, event: Event) -> None:
        if self._first is not None and self._first.on_event is not None:
            self._first.on_event(event)

    async def _keep_pace(self) -> None:
        if self._first is not None:
            await self._first.keep_pace()


def _cancelled() -> CallError:
    return CallError("CallCancelled", "the call was given up while it ran", hint="ask as a new call", status=409)


def _size(outcome: Answer | IsekError | None) -> int:
    text = outcome.text if isinstance(outcome, Answer) else ""
    return sys.getsizeof(text) + BYTES_A_TRACE * _traces(outcome.trace if outcome else None)


def _traces(trace: Trace | None) -> int:
    return 0 if trace is None else 1 + sum(_traces(child) for child in trace.children)
