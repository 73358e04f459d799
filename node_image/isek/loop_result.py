"""How a run ended."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from isek.errors import IsekError
from isek.models.base import Message, ToolCall

if TYPE_CHECKING:
    from isek.asking import Runner


class LoopExit(StrEnum):
    """The ways in which a run ends."""

    SATISFIED = "satisfied"
    """With an answer."""
    MAX_ITERS = "max_iters"
    """The model was called as often as the limits allow, and still asked for tools."""
    ERROR = "error"
    """Without an answer."""
    GUARDRAIL_BLOCK = "guardrail_block"
    """A guardrail forbids the message or the answer."""
    HANDOFF = "handoff"
    """Somebody else is to answer."""
    TOOL_CALLS = "tool_calls"
    """The caller is to call tools of its own first."""


@dataclass(frozen=True)
class Handoff:
    """Who is to go on, and with what."""

    target: str
    """A name or an address among the agent's ``handoffs``."""
    message: str
    """What they are asked."""
    runner: "Runner | None" = field(default=None, repr=False, compare=False)
    """Who it is, when they live in this process."""

    def __str__(self) -> str:
        return f"handed over to {self.target!r}: {self.message}"


@dataclass(frozen=True)
class Wanted:
    """Calls of tools that are the caller's own: it makes them, and asks again with what they said."""

    text: str
    """What is said beside them."""
    calls: tuple[ToolCall, ...]
    """In order; at least one."""
    said: tuple[Message, ...] = ()
    """From the caller's message to these calls."""


@dataclass(frozen=True)
class LoopResult:
    """What came of a run. Printed, it is the answer."""

    exit: LoopExit
    """The way in which it ended."""
    payload: Any = ""
    """The answer: text, an object of the agent's ``output_type``, a ``Handoff``, or what is ``Wanted``."""
    iterations: int = 0
    """Calls of the model; of a team, members that answered."""
    total_tokens: int = 0
    """Of all calls of models, with those of agents in this process that were asked."""
    """Of all calls of the model, in and out."""
    tool_calls: int = 0
    """Tools that were called, failed ones too."""
    errors: tuple[IsekError, ...] = ()
    """Why there is no answer; beside one, what went wrong on the way to it."""

    @property
    def failed(self) -> bool:
        """Whether there is no answer."""
        return self.exit not in {LoopExit.SATISFIED, LoopExit.HANDOFF, LoopExit.TOOL_CALLS}

    def answer(self) -> Any:
        """The answer.

        Raises:
            IsekError: the first of ``errors``, when there is none.
        """
        if self.failed:
            raise self.errors[0]
        return self.payload

    def __str__(self) -> str:
        if not self.failed:
            return str(self.payload)
        error = self.errors[0]
        return f"{error}\n{error.hint}" if error.hint else str(error)
