"""The memory of one agent or of several."""

from collections.abc import Sequence
from dataclasses import dataclass

from isek.models.base import Message, Model


@dataclass(frozen=True)
class Session:
    """A conversation of a user with an agent."""

    agent_id: str
    user_id: str
    session_id: str


@dataclass(frozen=True)
class Recollection:
    """What an agent has before it when a message comes in."""

    facts: tuple[str, ...] = ()
    """What it knows of the user."""
    summary: str = ""
    """Of the conversation's older part."""
    messages: tuple[Message, ...] = ()
    """The newer part, word for word."""


class Memory:
    """Keeps conversations while the process lives."""

    def __init__(self) -> None:
        self._conversations: dict[Session, list[Message]] = {}

    async def recall(self, session: Session, model: Model) -> Recollection:
        """What is known of the session; ``model`` sums up what has become too long."""
        return Recollection(messages=tuple(self._conversations.get(session, ())))

    async def record(self, session: Session, messages: Sequence[Message]) -> None:
        """Keep a run: all that was said in it, from the user's message to the answer."""
        self._conversations.setdefault(session, []).extend(messages)

    async def aclose(self) -> None:
        """Let go of connections."""
