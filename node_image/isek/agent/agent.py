"""The agent."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from isek.agent.arguments import check_type, checked_instructions, checked_model, checked_tools, functions_of, others_of
from isek.agent.guard import PatternGuard, RateLimit
from isek.agent.limits import Budget, Guardrails, Limits
from isek.agent.loop import Loop
from isek.agent.memory_tools import memory_tools
from isek.agent.output import Output
from isek.agent.remembering import Remembering
from isek.agent.run import Hook, Tally, run_within
from isek.agent.setup import Confirm, Setup
from isek.agent.step_log import log_step
from isek.answering import Answering, message_of
from isek.asking import CallContext, Runner
from isek.calling import outcome
from isek.errors import RunError
from isek.log import show_log
from isek.loop_result import LoopResult
from isek.memory.memory import Memory
from isek.memory.records import Session
from isek.models.base import Message, Model
from isek.sync import wait_for
from isek.tools.handoff import HandoffTool
from isek.tools.opening import Given, Opened, check_names, open_tools

Instructions = str | Sequence[str] | Callable[..., str | Awaitable[str]]
"""The system prompt: a text, several points, or a function that makes it, of the ``CallContext`` or of nothing."""


class IsekAgent(Answering):
    """An agent: instructions, a model that thinks for it, and tools that it may use.

    The same object answers in a script, on a node and in the cluster, any number of runs at a time.

    Args:
        name: how others call it.
        agent_id: what its memories are kept under; default: the name.
        model: what thinks.
        memory: what it remembers of its conversations; None: nothing.
        tools: tools, toolkits, other agents and teams, or addresses in the mesh, plain functions.
        description: what it is good for, in a sentence; others read it.
        success_criteria: what an answer has to meet; the model judges, and tries once more.
        instructions: the system prompt.
        debug_mode: shows Isek's log, with a line for each step of this agent.
        output_type: what answers are to be: a pydantic model, a dataclass, or what else pydantic validates.
        handoffs: who may answer in its place: agents, teams, or addresses in the mesh.
        limits: what a run may take.
        budget: what the agent may spend.
        guardrails: what is not let through.
        hooks: are told of each step, and may refuse it. What waits in them must be asynchronous: all that this
            process runs waits along.
        confirm: is asked before a tool is called that is riskier than the guardrails allow. One that is not
            asynchronous runs in a thread, so that it may ask a person; so do ``instructions``.

    Raises:
        TypeError: an argument is of another type.
        ValueError: there is no model, two tools have one name, or a guardrail's pattern is none.
    """

    def __init__(  # noqa: PLR0917  (the classic order)
        self,
        name: str = "agent",
        agent_id: str | None = None,
        model: Model | None = None,
        memory: Memory | None = None,
        tools: Iterable[Given] = (),
        description: str = "",
        success_criteria: str = "",
        instructions: Instructions = "",
        debug_mode: bool = False,
        *,
        output_type: Any = None,
        handoffs: Iterable[Runner | str] = (),
        limits: Limits = Limits(),  # noqa: B008  (immutable)
        budget: Budget = Budget(),  # noqa: B008
        guardrails: Guardrails = Guardrails(),  # noqa: B008
        hooks: Iterable[Hook] = (),
        confirm: Confirm | None = None,
    ) -> None:
        who = f"agent {name!r}"
        texts = {"name": name, "description": description, "success_criteria": success_criteria}
        for what, text in texts.items():
            check_type(who, what, text, str)
        for allowance, type_ in ((limits, Limits), (budget, Budget), (guardrails, Guardrails)):
            check_type(who, type_.__name__.lower(), allowance, type_)
        if agent_id is not None:
            check_type(who, "agent_id", agent_id, str)
        if memory is not None:
            check_type(who, "memory", memory, Memory)
        if confirm is not None and not callable(confirm):
            raise TypeError(f"{who}: confirm must be a function, not {confirm!r}")
        super().__init__(name, description)
        self.agent_id = agent_id or name
        self.model = checked_model(who, model)
        self.memory = memory
        self.tools: tuple[Given, ...] = checked_tools(who, tools)
        self.success_criteria = success_criteria
        self.instructions = checked_instructions(who, instructions)
        self.debug_mode = debug_mode
        self.output_type = output_type
        self.handoffs: tuple[Runner | str, ...] = others_of(who, "handoffs", handoffs)
        self.limits = limits
        self.budget = budget
        self.guardrails = guardrails
        self.hooks: tuple[Hook, ...] = functions_of(who, "hooks", hooks)
        self.confirm = confirm
        if debug_mode:
            show_log()
        PatternGuard(guardrails)  # refuses what is no pattern
        self._rate = RateLimit()
        try:
            check_names(self._given())
        except ValueError as error:
            raise ValueError(f"{who}: {error}") from None

    def get_agent_card(self) -> dict[str, Any]:
        """What others get to know: ``name``, ``description``, ``capabilities``, ``tools`` and ``model_type``.

        Raises:
            RuntimeError: the caller is asynchronous itself.
        """
        return wait_for(self.aget_agent_card(), "await aget_agent_card() instead")

    async def aget_agent_card(self) -> dict[str, Any]:
        """As :meth:`get_agent_card`, for asynchronous programs."""
        tools = [
            {"name": tool.schema.name, "description": tool.schema.description, "parameters": tool.schema.parameters}
            for tool in (await self._set_up()).tools.values()
        ]
        able = {"memory": self.memory, "tools": tools}
        return {
            "name": self.name,
            "description": self.description,
            "capabilities": [what for what, there in able.items() if there],
            "tools": tools,
            "model_type": type(self.model).__name__,
        }

    async def respond(self, message: str | Message, context: CallContext) -> LoopResult:
        """Answer within ``context``; what a node calls. Never raises an ``IsekError``."""
        asked = message_of(message)
        remembering = self._remembering(asked, context)

        async def work(bounded: CallContext, tally: Tally) -> Any:
            return await Loop(await self._set_up(), self._rate, bounded, tally).run(asked, remembering)

        return await run_within(
            work,
            name=self.name,
            message=asked.content,
            timeout_seconds=self.limits.timeout_seconds,
            context=context,
            hooks=self._watching(),
            keep=remembering.keep if remembering is not None else None,
        )

    async def aclose(self) -> None:
        """Let go of what the model, the memory and the tools hold open."""
        await self.model.aclose()
        if self.memory is not None:
            await self.memory.aclose()
        for tool in self.tools:
            if not callable(tool) and not isinstance(tool, str):
                await tool.aclose()

    def _remembering(self, asked: Message, context: CallContext) -> Remembering | None:
        if self.memory is None:
            return None
        return Remembering(self.memory, Session(self.agent_id, context.user_id, context.session_id), asked.content)

    def _watching(self) -> tuple[Hook, ...]:
        return (*self.hooks, log_step) if self.debug_mode else self.hooks

    def _given(self) -> list[Given]:
        return [*self.tools, *map(HandoffTool, self.handoffs), *memory_tools(self.memory, self.agent_id)]

    async def _set_up(self) -> Setup:
        """What the agent is made of at this moment: it may be changed between runs."""
        try:
            opened = await open_tools(self._given())
            guard = PatternGuard(self.guardrails)
            output = None if self.output_type in (None, str) else Output(self.output_type)
        except ValueError as error:
            raise RunError("AgentInvalid", f"agent {self.name!r}: {error}") from None
        return Setup(
            name=self.name,
            model=self.model,
            instructions=_instructions(self.instructions, opened),
            tools=opened.tools,
            limits=self.limits,
            budget=self.budget,
            risk_threshold=self.guardrails.risk_threshold,
            guard=guard,
            success_criteria=self.success_criteria,
            output=output,
            hooks=self._watching(),
            confirm=self.confirm,
        )


def _instructions(given: Instructions, opened: Opened) -> Callable[[CallContext], Awaitable[str]]:
    async def written(context: CallContext) -> str:
        text = given
        if callable(text):
            text = await outcome(text, *([context] if inspect.signature(text).parameters else []))
        if not isinstance(text, str):
            text = "\n".join(f"- {point}" for point in text)
        return "\n\n".join(part for part in (text, *opened.instructions) if part)

    return written
