"""What every run has, an agent's or a team's: limits, a result, and somebody who watches."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from isek.asking import CallContext
from isek.errors import IsekError, RunError


class LoopExit(StrEnum):
    """How a run ended."""

    SATISFIED = "satisfied"
    """With an answer."""
    MAX_ITERS = "max_iters"
    """The model was called as often as the limits allow, and still asked for tools."""
    ERROR = "error"
    """Without an answer."""


@dataclass(frozen=True)
class LoopResult:
    """What came of a run."""

    exit: LoopExit
    payload: str = ""
    """The answer."""
    iterations: int = 0
    """Calls of the model; of a team, members that answered."""
    total_tokens: int = 0
    tool_calls: int = 0
    errors: tuple[IsekError, ...] = ()
    """Why there is no answer."""

    def answer(self) -> str:
        """The answer.

        Raises:
            IsekError: the first of ``errors``, when there is none.
        """
        if self.exit is not LoopExit.SATISFIED:
            raise self.errors[0]
        return self.payload


@dataclass
class Tally:
    """What a run has used so far; kept apart from the run, so that it is known however the run ends."""

    iterations: int = 0
    total_tokens: int = 0
    tool_calls: int = 0


class Runner(Protocol):
    """Answers messages: an agent or a team."""

    async def run(self, message: str, context: CallContext) -> LoopResult:
        """Work on ``message`` within the runner's limits and the context's deadline. Never raises an ``IsekError``."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


class LoopObserver:
    """Is told of each step of a loop. This one does not care."""

    def model_called(self, seconds: float, error: str | None) -> None:
        """The model was called; ``error`` is the code when it failed."""

    def tool_called(self, tool: str, seconds: float, *, failed: bool) -> None:
        """A tool was called."""


Work = Callable[[CallContext, Tally], Awaitable[str]]


async def run_within(timeout_seconds: float, context: CallContext, work: Work) -> LoopResult:
    """Do ``work`` until the timeout or the context's deadline, whichever comes first, and say what came of it."""
    tally = Tally()
    bounded = replace(context, deadline=min(context.deadline, time.monotonic() + timeout_seconds))
    exit_, payload, errors = LoopExit.SATISFIED, "", ()  # type: tuple[LoopExit, str, tuple[IsekError, ...]]
    limit = asyncio.timeout(bounded.remaining_seconds())
    begun = time.monotonic()
    try:
        async with limit:
            payload = await work(bounded, tally)
    except IsekError as error:
        exit_ = LoopExit.MAX_ITERS if error.code == "MaxIterationsReached" else LoopExit.ERROR
        errors = (error,)
    except TimeoutError:
        if not limit.expired():
            raise
        exit_ = LoopExit.ERROR
        errors = (
            RunError(
                "DeadlineExceeded",
                f"there was no answer within {time.monotonic() - begun:.3g} s",
                hint="raise limits.timeoutSeconds, or give the call more time",
                status=504,
            ),
        )
    return LoopResult(exit_, payload, tally.iterations, tally.total_tokens, tally.tool_calls, errors)
