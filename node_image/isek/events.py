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
    message: str


@dataclass(frozen=True)
class TextDelta:
    """A piece of the answer."""

    agent: str
    text: str


@dataclass(frozen=True)
class ModelReplied:
    """The model was called."""

    agent: str
    seconds: float
    usage: "Usage | None" = None
    """None: it failed."""
    error: str | None = None
    """The code of what went wrong."""


@dataclass(frozen=True)
class ToolStarted:
    """The model wants a tool."""

    agent: str
    call_id: str
    tool: str
    arguments: str
    """JSON as the model wrote it."""


@dataclass(frozen=True)
class ToolEnded:
    """The tool answered, or could not."""

    agent: str
    call_id: str
    tool: str
    content: str
    """What the model is told."""
    seconds: float
    failed: bool = False
    known: bool = True
    """Whether there is such a tool at all."""


@dataclass(frozen=True)
class AskStarted:
    """Another agent is asked, be it a tool or a member of a team."""

    agent: str
    """Who is asked."""
    message: str
    by: str = ""
    """Who asks."""


@dataclass(frozen=True)
class AskEnded:
    """It answered, or could not."""

    agent: str
    seconds: float
    error: str | None = None
    """The code of what went wrong."""
    by: str = ""
    """Who asked."""


@dataclass(frozen=True)
class RunEnded:
    """It is over."""

    agent: str
    result: "LoopResult"


Event = RunStarted | TextDelta | ModelReplied | ToolStarted | ToolEnded | AskStarted | AskEnded | RunEnded
