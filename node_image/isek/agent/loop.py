"""The loop of an agent: ask the model, call the tools it wants, until it answers."""

import asyncio
import reprlib
import time
from collections.abc import Awaitable, Sequence
from typing import Any

from isek.agent import criteria
from isek.agent.brought import CallersTools, with_form
from isek.agent.guard import RateLimit
from isek.agent.remembering import Remembering
from isek.agent.run import Tally, tell
from isek.agent.setup import Setup
from isek.agent.tool_calls import ToolCalls, arguments_of
from isek.asking import Brought, CallContext
from isek.errors import IsekError, RunError
from isek.events import ModelReplied, TextDelta
from isek.loop_result import Handoff, Wanted
from isek.models.base import Message, Model, ModelReply, OutputSchema, ToolCall, ToolSchema, Usage
from isek.models.errors import ModelError, ModelUnavailable
from isek.tools.base import ToolError
from isek.tools.handoff import HandoffTool
from isek.unexpected import said_of

OUTPUT_RETRIES = 2
CRITERIA_RETRIES = 1
EMPTY_RETRIES = 1


class Loop:
    """One run of an agent."""

    def __init__(self, setup: Setup, rate: RateLimit, context: CallContext, tally: Tally) -> None:
        self._brought = brought = context.brought or Brought()
        self._setup = setup = with_form(setup, brought.output)
        self._callers = CallersTools(brought, setup)
        self._guard = setup.guard
        self._context = context
        self._tally = tally
        self._tools = ToolCalls(setup, rate, context, tally)
        self._schemas = (*(tool.schema for tool in setup.tools.values()), *brought.tools)
        self._output_retries = OUTPUT_RETRIES
        self._criteria_retries = CRITERIA_RETRIES
        self._empty_retries = EMPTY_RETRIES
        self._reviewed = bool(setup.guard or setup.output or setup.success_criteria or brought.must_call)
        """Whether an answer may turn out to be none: then it is told only once it is accepted."""

    async def run(self, message: Message, remembering: Remembering | None) -> Any:
        """The answer to ``message``, who is to answer instead, or what the caller is to do before.

        Raises:
            RunError: there is none.
        """
        for each in (*self._brought.before, message, *self._brought.after):
            self._guard.check(each.content, "message")
        before = [*await self._before(remembering), *self._brought.before]
        said = [message, *self._brought.after]
        limits = self._setup.limits
        while self._tally.iterations < limits.max_iterations:
            self._check_budget()
            self._tally.iterations += 1
            reply = self._callers.taken(await self._ask_model([*before, *said]))
            said.append(Message("assistant", reply.text, tool_calls=reply.tool_calls, reasoning=reply.reasoning))
            if not reply.tool_calls:
                if (reminder := self._callers.reminder()) is not None:
                    said.append(Message("user", reminder))
                    continue
                answer, objection = await self._review(message.content, reply.text)
                if objection is None:
                    _keep(remembering, said)
                    return answer
                said.append(Message("user", objection))
                continue
            if (handoff := self._handoff(reply, message.content)) is not None:
                said += [Message("tool", str(handoff), tool_call_id=call.id) for call in reply.tool_calls]
                _keep(remembering, said)
                return handoff
            wanted, own = self._callers.split(reply.tool_calls)
            said += await self._tools.answer_all(own)
            if wanted:
                return Wanted(reply.text, wanted, tuple(said))
        raise RunError(
            "MaxIterationsReached",
            f"the model still had no answer after {self._tally.iterations} calls",
            hint="raise limits.maxIterations, or make the instructions clearer",
        )

    async def _before(self, remembering: Remembering | None) -> list[Message]:
        """All that stands before the run's message."""
        setup = self._setup
        parts = [await setup.instructions(self._context)]
        if setup.success_criteria:
            parts.append(f"Your answer must meet these criteria: {setup.success_criteria}")
        if setup.output is not None:
            parts.append(setup.output.instructions)
        messages: tuple[Message, ...] = ()
        if remembering is not None:
            known = await remembering.recall(setup.model, lambda asked: self._count(setup.model.invoke(asked)))
            if known.facts:
                parts.append("What you know of the user:\n" + "\n".join(f"- {fact}" for fact in known.facts))
            if known.summary:
                parts.append(f"What was said before: {known.summary}")
            messages = known.messages
        system = "\n\n".join(part for part in parts if part)
        return [*([Message("system", system)] if system else []), *messages]

    async def _ask_model(self, conversation: list[Message]) -> ModelReply:
        """What the model says to the conversation; it may call tools."""
        output = self._setup.output.schema if self._setup.output else None
        return await self._count(self._reply(conversation, self._schemas, output))

    async def _reply(
        self, conversation: list[Message], tools: tuple[ToolSchema, ...], output: OutputSchema | None
    ) -> ModelReply:
        model = self._setup.model
        model.check_fits(conversation, tools)
        form = {} if output is None else {"output": output}
        if self._context.on_event is None:
            return await model.invoke(conversation, tools, **form)
        reply = None
        async for piece in model.invoke_streaming(conversation, tools, **form):
            if isinstance(piece, ModelReply):
                reply = piece
            elif not isinstance(piece, str):
                raise _nonsense(model, piece)
            elif not self._reviewed:
                self._context.tell(TextDelta(self._setup.name, piece))
                await self._context.keep_pace()
        if reply is None:
            raise ModelUnavailable("the model's answer broke off", hint="ask again")
        return reply

    async def _count(self, asking: Awaitable[ModelReply]) -> ModelReply:
        """What the model says, its cost noted."""
        begun, error_code, usage = time.monotonic(), None, None
        try:
            reply = _whole(await asking, self._setup.model)
            usage = reply.usage
        except IsekError as error:
            error_code = error.code
            raise
        except Exception as error:
            failed = ModelError(
                said_of(error, f"model {_name(self._setup.model)}", node_id=self._context.node_id),
                hint="models raise ModelError where there is no reply",
            )
            error_code = failed.code
            raise failed from error
        except asyncio.CancelledError:
            error_code = "Cancelled"
            raise
        finally:
            replied = ModelReplied(self._setup.name, time.monotonic() - begun, usage, error_code)
            await tell(replied, self._context, self._setup.hooks)
        self._tally.total_tokens += usage.total_tokens
        return reply

    async def _review(self, asked: str, text: str) -> tuple[Any, str | None]:
        """The answer, or else what is to be said against it.

        Raises:
            RunError: it has been objected to often enough.
        """
        self._guard.check(text, "answer")
        if (
            not text.strip() and self._empty_retries > 0
        ):  # some models end so after a tool; it may be all they have to say
            self._empty_retries -= 1
            return None, "That was empty. Answer."
        answer: Any = text
        if self._setup.output is not None:
            try:
                answer = self._setup.output.read(text)
            except ValueError as error:
                self._output_retries -= 1
                if self._output_retries < 0:
                    raise RunError(
                        "OutputInvalid",
                        f"the model's answer does not fit the wanted form: {error}",
                        hint="describe the form in the instructions, or take a model that knows structured output",
                        status=422,  # clients of OpenAI ask three times where they hear 500
                    ) from None
                return None, f"That does not fit the wanted form: {error}. Answer again with JSON alone."
        if self._setup.success_criteria:
            question = criteria.question(self._setup.success_criteria, asked, text)
            judged = await self._count(self._setup.model.invoke(question))
            verdict = criteria.verdict(judged.text)
            if not verdict.satisfied:
                self._criteria_retries -= 1
                if self._criteria_retries < 0:
                    raise RunError(
                        "SuccessCriteriaNotMet",
                        f"the answer does not meet the success criteria: {verdict.reason}",
                        hint="make the criteria or the instructions clearer",
                    )
                return None, f"That does not meet the criteria yet: {verdict.reason}. Answer again."
        if self._reviewed:
            self._context.tell(TextDelta(self._setup.name, text))
        return answer, None

    def _check_budget(self) -> None:
        most = self._setup.budget.max_tokens_per_run
        if most is not None and self._tally.total_tokens >= most:
            raise RunError(
                "TokenBudgetExceeded",
                f"the run has used {self._tally.total_tokens} tokens of {most}, and has no answer yet",
                hint="raise budget.maxTokensPerRun",
            )

    def _handoff(self, reply: ModelReply, asked: str) -> Handoff | None:
        for call in reply.tool_calls:
            tool = self._setup.tools.get(call.name)
            if isinstance(tool, HandoffTool):
                return Handoff(tool.target, _message_of(call) or asked, tool.runner)
        return None


def _keep(remembering: Remembering | None, said: Sequence[Message]) -> None:
    if remembering is not None:
        remembering.said = tuple(said)


def _message_of(call: ToolCall) -> str:
    try:
        return str(arguments_of(call).get("message", ""))
    except ToolError:
        return ""


def _whole(reply: Any, model: Model) -> ModelReply:
    """The reply, where the model, which may be of anybody's making, keeps to what one is.

    Raises:
        ModelError: it does not.
    """
    if (
        isinstance(reply, ModelReply)
        and isinstance(reply.text, str)
        and isinstance(reply.usage, Usage)
        and all(isinstance(call, ToolCall) for call in reply.tool_calls)
    ):
        return reply
    raise _nonsense(model, reply)


def _name(model: Model) -> str:
    return model.name or type(model).__name__


def _nonsense(model: Model, said: Any) -> ModelError:
    return ModelError(
        f"model {_name(model)} replied {reprlib.repr(said)}, which is no ModelReply",
        hint="look at the invoke and invoke_streaming of that model",
    )
