"""The steps of a run as the progress that MCP tells."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from isek.cancelling import cancel
from isek.events import AskEnded, AskStarted, Event, ModelReplied, RunStarted, ToolEnded, ToolStarted

MAX_WAITING = 100
"""Steps that a caller may be behind; it is not told of those that come then."""

Report = Callable[[float, float | None, str | None], Awaitable[None]]


class Progress:
    """Tells of steps in their order, as fast as the caller reads; the run does not wait for that.

    Leaving the context waits until all is told, unless it is left by an exception.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue(MAX_WAITING)
        self._telling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._telling is None:
            return
        if error is not None:
            await cancel(self._telling)
            return
        await self._waiting.put(None)
        await self._telling

    def tell(self, event: Event) -> None:
        """Tell of a step, if it is one that says something."""
        text = said_of_step(event)
        if text is None:
            return
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell_all())
        with suppress(asyncio.QueueFull):
            self._waiting.put_nowait(text)

    async def _tell_all(self) -> None:
        done = 0
        while (text := await self._waiting.get()) is not None:
            done += 1
            await self._report(done, None, text)


def said_of_step(event: Event) -> str | None:
    """A step in a few words; None: it is not worth any."""
    match event:
        case RunStarted(agent=agent):
            return f"{agent} begins"
        case ModelReplied(agent=agent, seconds=seconds, error=error):
            return f"{agent}: the model {f'failed: {error}' if error else 'replied'} after {seconds:.1f} s"
        case ToolStarted(agent=agent, tool=tool):
            return f"{agent} uses {tool}"
        case ToolEnded(agent=agent, tool=tool, seconds=seconds, failed=failed):
            return f"{agent}: {tool} {'failed' if failed else 'answered'} after {seconds:.1f} s"
        case AskStarted(agent=agent, by=by):
            return f"{by} asks {agent}" if by else f"{agent} is asked"
        case AskEnded(agent=agent, seconds=seconds, error=error):
            return f"{agent} {f'failed: {error}' if error else 'answered'} after {seconds:.1f} s"
        case _:
            return None
