"""What an agent is made of, ready to run."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from isek.agent.guard import PatternGuard
from isek.agent.limits import Budget, Limits
from isek.agent.output import GivenForm, Output
from isek.agent.run import Hook
from isek.asking import CallContext
from isek.models.base import Model, ToolCall
from isek.tools.base import RiskLevel, Tool

Confirm = Callable[[Tool, ToolCall], bool | Awaitable[bool]]
"""Whether a risky tool may be called; one that is not asynchronous is asked in a thread."""
Instructions = Callable[[CallContext], Awaitable[str]]


@dataclass(frozen=True)
class Setup:
    """All that a run needs to know of its agent."""

    name: str
    model: Model
    instructions: Instructions
    tools: Mapping[str, Tool]
    limits: Limits
    budget: Budget
    risk_threshold: RiskLevel
    """Tools above it are called only when ``confirm`` says so."""
    guard: PatternGuard
    success_criteria: str = ""
    output: Output | GivenForm | None = None
    hooks: tuple[Hook, ...] = ()
    confirm: Confirm | None = None
