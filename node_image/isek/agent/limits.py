"""What an agent may use, and what it may not do."""

from dataclasses import dataclass

from isek.checks import check_number, check_type
from isek.tools.base import RiskLevel


@dataclass(frozen=True)
class Limits:
    """What a run may take before it is ended."""

    max_iterations: int = 10
    """Calls of the model."""
    timeout_seconds: float = 300
    """Seconds, tools and other agents included."""
    max_tool_calls: int = 100
    """Calls of tools; further ones are refused, and the model told so."""

    def __post_init__(self) -> None:
        check_number("max_iterations", self.max_iterations, least=1)
        check_number("timeout_seconds", self.timeout_seconds, least=0, whole=False)
        check_number("max_tool_calls", self.max_tool_calls, least=0)


@dataclass(frozen=True)
class Budget:
    """What an agent may spend."""

    max_tokens_per_run: int | None = None
    """A run that has used more is ended before its next call of the model."""
    max_tool_calls_per_minute: int | None = None
    """In all runs of the agent together; further calls are refused, and the model told so."""

    def __post_init__(self) -> None:
        for what in ("max_tokens_per_run", "max_tool_calls_per_minute"):
            if getattr(self, what) is not None:
                check_number(what, getattr(self, what), least=0)


@dataclass(frozen=True)
class Guardrails:
    """What is not let through."""

    risk_threshold: RiskLevel = RiskLevel.MEDIUM
    """Tools above it are called only when ``confirm`` says so."""
    blocked_patterns: tuple[str, ...] = ()
    """Regular expressions, in any case of letters; a message or an answer in which one is found ends the run."""

    def __post_init__(self) -> None:
        check_type("risk_threshold", self.risk_threshold, RiskLevel)
        if isinstance(self.blocked_patterns, str):
            raise TypeError(f"blocked_patterns must be a list of texts, not {self.blocked_patterns!r}")
