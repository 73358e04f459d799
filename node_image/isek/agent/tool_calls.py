"""The calls of tools that a model asks for, within what the agent allows."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

from isek.agent.guard import RateLimit
from isek.agent.run import Tally, tell
from isek.agent.setup import Setup
from isek.asking import CallContext
from isek.calling import outcome
from isek.errors import IsekError
from isek.events import ToolEnded, ToolStarted
from isek.log import log, log_fault
from isek.models.base import Message, ToolCall
from isek.together import together
from isek.tools.base import Tool, ToolError
from isek.tools.fetching import cut
from isek.tools.function import as_text

MAX_CHARACTERS = 262_144
"""Of what a tool says: more than most models take, and not all that a process can hold."""


@dataclass(frozen=True)
class ToolCalls:
    """Calls the tools of one run."""

    setup: Setup
    rate: RateLimit
    context: CallContext
    tally: Tally

    async def answer_all(self, calls: tuple[ToolCall, ...]) -> list[Message]:
        """What the tools say, in the order of the calls; they run at the same time."""
        return await together(self._answer(call) for call in calls)

    async def _answer(self, call: ToolCall) -> Message:
        tool = self.setup.tools.get(call.name)
        begun = time.monotonic()
        content, failed = await self._try(tool, call)
        content = cut(content, MAX_CHARACTERS)
        content = content.encode(errors="replace").decode()  # what is no text could not be sent to a model
        seconds = time.monotonic() - begun
        ended = ToolEnded(self.setup.name, call.id, call.name, content, seconds, failed=failed, known=tool is not None)
        await tell(ended, self.context, self.setup.hooks)
        return Message("tool", content, tool_call_id=call.id)

    async def _try(self, tool: Tool | None, call: ToolCall) -> tuple[str, bool]:
        """What the model is told, and whether the call failed."""
        started = ToolStarted(self.setup.name, call.id, call.name, call.arguments)
        try:
            await tell(started, self.context, self.setup.hooks)
        except ToolError as error:
            return f"error: {error}", True
        try:
            return await self._call(tool, call), False
        except (ToolError, IsekError) as error:
            log().info("tool {}: {}", call.name, error)
            return f"error: {error}", True
        except asyncio.CancelledError:
            here = asyncio.current_task()
            if here is None or here.cancelling():
                raise
            log_fault(f"tool {call.name} raised what cancels a run, which nobody has cancelled")
        except (Exception, SystemExit):  # argparse in a tool must not end the program
            log_fault(f"tool {call.name} failed unexpectedly")
        return "error: the tool failed", True

    async def _call(self, tool: Tool | None, call: ToolCall) -> str:
        if tool is None:
            raise ToolError(f"there is no tool {call.name!r}; there are: {', '.join(self.setup.tools) or 'none'}")
        arguments = arguments_of(call)
        self._take_one()
        if tool.risk_level > self.setup.risk_threshold:
            await self._have_confirmed(tool, call)
        limit = asyncio.timeout(tool.timeout_seconds)
        try:
            async with limit:
                return as_text(await tool.call(arguments, self.context))
        except TimeoutError:
            if not limit.expired():
                raise
            raise ToolError(f"{call.name!r} did not answer within {tool.timeout_seconds:g} s") from None

    def _take_one(self) -> None:
        most = self.setup.limits.max_tool_calls
        if self.tally.tool_calls >= most:
            raise ToolError(f"the run has used up its {most} tool calls; answer with what there is")
        a_minute = self.setup.budget.max_tool_calls_per_minute
        if not self.rate.take(a_minute):
            raise ToolError(f"the agent has used up its {a_minute} tool calls a minute; answer with what there is")
        self.tally.tool_calls += 1
        self.tally.repeatable = False

    async def _have_confirmed(self, tool: Tool, call: ToolCall) -> None:
        if self.setup.confirm is None:
            raise ToolError(f"{call.name!r} is risky and nobody is there to confirm it")
        if not await outcome(self.setup.confirm, tool, call):
            raise ToolError(f"{call.name!r} was not confirmed: it must not be called")


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """What the model wants the tool to be called with.

    Raises:
        ToolError: it is not one JSON object.
    """
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, TypeError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise ToolError(f"the arguments of {call.name!r} must be one JSON object")
    return arguments
