"""The loop of an agent: ask the model, call the tools it wants, until it answers."""

import asyncio
import json
import logging
import time
from collections.abc import Mapping

from isek.agent.run import LoopObserver, LoopResult, Tally, run_within
from isek.api.workload import Limits
from isek.asking import CallContext
from isek.errors import IsekError, RunError
from isek.models.base import Message, Model, ModelReply, ToolCall
from isek.tools.base import Tool, ToolError

log = logging.getLogger(__name__)


class AgentRunner:
    """One agent: its instructions, model, tools and limits. Runs share nothing."""

    def __init__(
        self,
        model: Model,
        *,
        instructions: str = "",
        tools: Mapping[str, Tool] | None = None,
        limits: Limits | None = None,
        observer: LoopObserver | None = None,
    ) -> None:
        self._model = model
        self._system = (Message("system", instructions),) if instructions else ()
        self._tools = tools or {}
        self._schemas = tuple(tool.schema for tool in self._tools.values())
        self._limits = limits or Limits()
        self._observer = observer or LoopObserver()

    async def run(self, message: str, context: CallContext) -> LoopResult:
        """Answer ``message``. A run that fails is a result too."""

        async def work(bounded: CallContext, tally: Tally) -> str:
            return await self._loop(message, bounded, tally)

        return await run_within(self._limits.timeout_seconds, context, work)

    async def aclose(self) -> None:
        """Let go of the model's connections."""
        await self._model.aclose()

    async def _loop(self, message: str, context: CallContext, tally: Tally) -> str:
        conversation = [*self._system, Message("user", message)]
        while tally.iterations < self._limits.max_iterations:
            tally.iterations += 1
            reply = await self._ask_model(conversation)
            tally.total_tokens += reply.usage.total_tokens
            if not reply.tool_calls:
                return reply.text
            tally.tool_calls += len(reply.tool_calls)
            conversation.append(Message("assistant", reply.text, tool_calls=reply.tool_calls))
            conversation += await asyncio.gather(*(self._answer_call(call, context) for call in reply.tool_calls))
        raise RunError(
            "MaxIterationsReached",
            f"the model still asked for tools after {tally.iterations} calls",
            hint="raise limits.maxIterations, or make the instructions clearer",
        )

    async def _ask_model(self, conversation: list[Message]) -> ModelReply:
        begun, error_code = time.monotonic(), None
        try:
            return await self._model.invoke(conversation, self._schemas)
        except IsekError as error:
            error_code = error.code
            raise
        except asyncio.CancelledError:
            error_code = "Cancelled"
            raise
        finally:
            self._observer.model_called(time.monotonic() - begun, error_code)

    async def _answer_call(self, call: ToolCall, context: CallContext) -> Message:
        begun, failed = time.monotonic(), True
        try:
            content = await self._call_tool(call, context)
            failed = False
        except ToolError as error:
            content = f"error: {error}"
            log.info("tool %s: %s", call.name, error)
        except Exception:
            log.exception("tool %s failed unexpectedly", call.name)
            content = "error: the tool failed"
        finally:
            known = call.name if call.name in self._tools else "unknown"
            self._observer.tool_called(known, time.monotonic() - begun, failed=failed)
        return Message("tool", content, tool_call_id=call.id)

    async def _call_tool(self, call: ToolCall, context: CallContext) -> str:
        tool = self._tools.get(call.name)
        if tool is None:
            raise ToolError(f"there is no tool {call.name!r}; there are: {', '.join(self._tools) or 'none'}")
        try:
            arguments = json.loads(call.arguments or "{}")
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):
            raise ToolError(f"the arguments of {call.name!r} must be one JSON object")
        return await tool.call(arguments, context)
