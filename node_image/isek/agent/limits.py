"""What an agent may use, and what it may not do."""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Budget:
    """What an agent may spend."""

    max_tokens_per_run: int | None = None
    """A run that has used more is ended before its next call of the model."""
    max_tool_calls_per_minute: int | None = None
    """In all runs of the agent together; further calls are refused, and the model told so."""


@dataclass(frozen=True)
class Guardrails:
    """What is not let through."""

    risk_threshold: RiskLevel = RiskLevel.MEDIUM
    """Tools above it are called only when ``confirm`` says so."""
    blocked_patterns: tuple[str, ...] = ()
    """Regular expressions, in any case of letters; a message or an answer in which one is found ends the run."""

    def __post_init__(self) -> None:
        if isinstance(self.blocked_patterns, str):
            raise TypeError(f"blocked_patterns must be a list of texts, not {self.blocked_patterns!r}")
