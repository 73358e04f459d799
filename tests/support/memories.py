"""Sessions and runs for tests of memories."""

from datetime import UTC, datetime

from isek.memory.records import Run, Session
from isek.models.base import Message

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def session(session_id: str = "s", user_id: str = "ann", agent_id: str = "helper") -> Session:
    """A conversation."""
    return Session(agent_id, user_id, session_id)


def run(asked: str = "hi", error: str = "") -> Run:
    """What came of a message."""
    return Run(asked, "error" if error else "satisfied", STARTED, 1.5, total_tokens=7, tool_calls=2, error=error)


def said(asked: str, answer: str = "ok") -> list[Message]:
    """A message and its answer."""
    return [Message("user", asked), Message("assistant", answer)]
