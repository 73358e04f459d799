"""What every run has, an agent's or a team's: limits, a result, and somebody who watches."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from isek.asking import CallContext
from isek.errors import IsekError, RunError
from isek.events import Event, RunEnded, RunStarted
from isek.loop_result import Handoff, LoopExit, LoopResult, Wanted
from isek.unexpected import said_of

Hook = Callable[[Event], Awaitable[None] | None]
"""Is told of each step before the loop goes on. Raises ``ToolError`` at ``ToolStarted`` to refuse a call, an
``IsekError`` to end the run. Runs on the event loop, which must not be blocked."""

EXITS = {"MaxIterationsReached": LoopExit.MAX_ITERS, "GuardrailBlocked": LoopExit.GUARDRAIL_BLOCK}
"""The ways to end that have a name of their own, by the code of their error."""


@dataclass
class Tally:
    """What a run has used so far; kept apart from the run, so that it is known however the run ends."""

    iterations: int = 0
    total_tokens: int = 0
    tool_calls: int = 0
    repeatable: bool = True
    """Whether nothing has happened yet that a second run would make happen twice."""
    errors: list[IsekError] = field(default_factory=list)
    """What went wrong without ending the run."""


Work = Callable[[CallContext, Tally], Awaitable[Any]]
"""Returns the answer, a ``Handoff``, or what is ``Wanted``."""
Keep = Callable[[LoopResult, CallContext], Awaitable[IsekError | None]]
"""Remembers how a run ended, within a time of its own; what it returns has gone wrong."""


async def run_within(
    work: Work,
    *,
    name: str,
    message: str,
    timeout_seconds: float,
    context: CallContext,
    hooks: tuple[Hook, ...] = (),
    keep: Keep | None = None,
) -> LoopResult:
    """Do ``work`` until the timeout or the context's deadline, whichever comes first, ``keep`` what came of it, and say
    so."""
    tally = Tally()
    bounded = replace(context, agent=name, deadline=min(context.deadline, time.monotonic() + timeout_seconds), spent=[])
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
        elif isinstance(payload, Wanted):
            exit_ = LoopExit.TOOL_CALLS
    except IsekError as error:
        exit_, errors = EXITS.get(error.code, LoopExit.ERROR), (error,)
        error.repeatable = error.repeatable and tally.repeatable
    except Exception as error:
        exit_ = LoopExit.ERROR
        if limit.expired() and isinstance(error, TimeoutError):
            errors = (_too_late(time.monotonic() - begun),)
        else:
            errors = (_unexpected(error, name, context),)
    tokens = tally.total_tokens + sum(bounded.spent)
    result = LoopResult(exit_, payload, tally.iterations, tokens, tally.tool_calls, (*errors, *tally.errors))
    if keep is not None and (problem := await keep(result, bounded)) is not None:
        result = replace(result, errors=(*result.errors, problem))
    return await _told(result, name, context, hooks)


async def _told(result: LoopResult, name: str, context: CallContext, hooks: tuple[Hook, ...]) -> LoopResult:
    """The result, once all know of it. A hook that fails now is too late to change it."""
    for hook in hooks:
        try:
            await _call(hook, RunEnded(name, result))
        except Exception as error:
            problem = error if isinstance(error, IsekError) else _unexpected(error, name, context)
            result = replace(result, errors=(*result.errors, problem))
    context.tell(RunEnded(name, result))
    return result


def _too_late(seconds: float) -> RunError:
    return RunError(
        "DeadlineExceeded",
        f"there was no answer within {seconds:.3g} s",
        hint="raise limits.timeoutSeconds, or give the call more time",
        status=504,
    )


def _unexpected(error: Exception, name: str, context: CallContext) -> RunError:
    problem = RunError("InternalError", said_of(error, repr(name), node_id=context.node_id))
    problem.__cause__ = error  # with its stack trace
    return problem


async def tell(event: Event, context: CallContext, hooks: tuple[Hook, ...]) -> None:
    """Say what happens to who watches the call and to the agent's hooks."""
    context.tell(event)
    for hook in hooks:
        await _call(hook, event)


async def _call(hook: Hook, event: Event) -> None:
    waiting = hook(event)
    if waiting is not None:
        await waiting
