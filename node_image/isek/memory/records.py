"""What a memory is made of."""

from dataclasses import dataclass
from datetime import datetime

from isek.models.base import Message


@dataclass(frozen=True)
class Session:
    """A conversation of a user with an agent."""

    agent_id: str
    """The agent's ``agent_id``, which is its name where nothing else is said."""
    user_id: str
    """Whoever talks with it."""
    session_id: str | None
    """None: of one message, of which nothing is kept."""


@dataclass(frozen=True)
class Run:
    """What came of a message."""

    asked: str
    """The message's text."""
    exit: str
    """One of ``LoopExit``."""
    started: datetime
    seconds: float
    total_tokens: int = 0
    tool_calls: int = 0
    error: str = ""
    """The code of why there is no answer."""


@dataclass(frozen=True)
class UserMemory:
    """A fact about a user."""

    id: int
    text: str


@dataclass(frozen=True)
class Turn:
    """What was said in one run, from the user's message to the answer."""

    id: int
    """Later runs of a session have a higher one."""
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class History:
    """A session as it is kept."""

    summary: str = ""
    """Of the turns up to ``summarised``."""
    summarised: int = 0
    """The id of the last turn that the summary has; 0: there is none."""
    turns: tuple[Turn, ...] = ()
    """The later ones, word for word."""
