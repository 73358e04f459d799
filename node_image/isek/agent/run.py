"""What every run has, an agent's or a team's: limits, a result, and somebody who watches."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from isek.asking import CallContext
from isek.errors import IsekError, RunError
from isek.events import Event, RunEnded, RunStarted
from isek.loop_result import Handoff, LoopExit, LoopResult

Hook = Callable[[Event], Awaitable[None] | None]
"""Is told of each step before the loop goes on. Raises ``ToolError`` at ``ToolStarted`` to refuse a call, an
``IsekError`` to end the run."""

EXITS = {"MaxIterationsReached": LoopExit.MAX_ITERS, "GuardrailBlocked": LoopExit.GUARDRAIL_BLOCK}
"""The ways to end that have a name of their own, by the code of their error."""


@dataclass
class Tally:
    """What a run has used so far; kept apart from the run, so that it is known however the run ends."""

    iterations: int = 0
    total_tokens: int = 0
    tool_calls: int = 0
    errors: list[IsekError] = field(default_factory=list)
    """What went wrong without ending the run."""


Work = Callable[[CallContext, Tally], Awaitable[Any]]
"""Returns the answer, or a ``Handoff``."""


async def run_within(
    work: Work,
    *,
    name: str,
    message: str,
    timeout_seconds: float,
    context: CallContext,
    hooks: tuple[Hook, ...] = (),
) -> LoopResult:
    """Do ``work`` until the timeout or the context's deadline, whichever comes first, and say what came of it."""
    tally = Tally()
    bounded = replace(context, agent=name, deadline=min(context.deadline, time.monotonic() + timeout_seconds))
    payload: Any = ""
    exit_, errors = LoopExit.SATISFIED, ()  # type: tuple[LoopExit, tuple[IsekError, ...]]
    limit = asyncio.timeout(bounded.remaining_seconds())
    begun = time.monotonic()
    try:
        async with limit:
            await tell(RunStarted(name, message), context, hooks)
            payload = await work(bounded, tally)
        if isinstance(payload, Handoff):
            exit_ = LoopExit.HANDOFF
    except IsekError as error:
        exit_, errors = EXITS.get(error.code, LoopExit.ERROR), (error,)
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
    result = LoopResult(
        exit_, payload, tally.iterations, tally.total_tokens, tally.tool_calls, (*errors, *tally.errors)
    )
    await tell(RunEnded(name, result), context, hooks)
    return result


async def tell(event: Event, context: CallContext, hooks: tuple[Hook, ...]) -> None:
    """Say what happens to who watches the call and to the agent's hooks."""
    context.tell(event)
    for hook in hooks:
        waiting = hook(event)
        if waiting is not None:
            await waiting
