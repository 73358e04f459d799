"""What happens while an agent works, step by step."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isek.loop_result import LoopResult
    from isek.models.base import Usage


@dataclass(frozen=True)
class RunStarted:
    """An agent or a team begins."""

    agent: str
    """Who."""
    message: str
    """What it is asked."""


@dataclass(frozen=True)
class TextDelta:
    """A piece of the answer."""

    agent: str
    """Whose."""
    text: str
    """In order; together they are the answer."""


@dataclass(frozen=True)
class ModelReplied:
    """The model was called."""

    agent: str
    """Whose model."""
    seconds: float
    """That the call took."""
    usage: "Usage | None" = None
    """None: it failed."""
    error: str | None = None
    """The code of what went wrong."""


@dataclass(frozen=True)
class ToolStarted:
    """The model wants a tool."""

    agent: str
    """Whose model."""
    call_id: str
    """Ties the tool's end to its start."""
    tool: str
    """Its name."""
    arguments: str
    """JSON as the model wrote it."""


@dataclass(frozen=True)
class ToolEnded:
    """The tool answered, or could not."""

    agent: str
    """Whose model called it."""
    call_id: str
    """That of its start."""
    tool: str
    """Its name."""
    content: str
    """What the model is told."""
    seconds: float
    """That the call took."""
    failed: bool = False
    """Whether the model is told of an error."""
    known: bool = True
    """Whether there is such a tool at all."""


@dataclass(frozen=True)
class AskStarted:
    """Another agent is asked, be it a tool or a member of a team."""

    agent: str
    """Who is asked."""
    message: str
    """What."""
    by: str = ""
    """Who asks."""


@dataclass(frozen=True)
class AskEnded:
    """It answered, or could not."""

    agent: str
    """Who was asked."""
    seconds: float
    """Until the answer."""
    error: str | None = None
    """The code of what went wrong."""
    by: str = ""
    """Who asked."""


@dataclass(frozen=True)
class RunEnded:
    """It is over."""

    agent: str
    """Who."""
    result: "LoopResult"
    """What came of it."""


Event = RunStarted | TextDelta | ModelReplied | ToolStarted | ToolEnded | AskStarted | AskEnded | RunEnded
