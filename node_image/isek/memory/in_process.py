"""A memory that lives as long as its process."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from isek.memory.records import History, Run, Session, Turn, UserMemory
from isek.models.base import Message

MAX_SESSIONS = 10_000
"""The least recently used ones are forgotten beyond it: a process may run for months."""


@dataclass
class _Kept:
    history: History = field(default_factory=History)
    runs: list[Run] = field(default_factory=list)


class InProcessStore:
    """Keeps all in dictionaries. It has no ``await`` between a look and a change, so it needs no lock."""

    def __init__(self) -> None:
        self._sessions: dict[Session, _Kept] = {}
        self._users: dict[tuple[str, str], list[UserMemory]] = {}
        self._ids = count(1)

    async def history(self, session: Session) -> History:
        """As ``Store``."""
        kept = self._sessions.get(session)
        return kept.history if kept else History()

    async def add_run(self, session: Session, run: Run, messages: Sequence[Message]) -> None:
        """As ``Store``."""
        kept = self._sessions.pop(session, None) or _Kept()
        self._sessions[session] = kept  # at the end: it was used last
        kept.runs.append(run)
        if messages:
            turn = Turn(next(self._ids), tuple(messages))
            kept.history = replace(kept.history, turns=(*kept.history.turns, turn))
        if len(self._sessions) > MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]

    async def summarise(self, session: Session, summary: str, known: History, upto: int) -> None:
        """As ``Store``."""
        kept = self._sessions.get(session)
        if kept and kept.history.summarised == known.summarised:
            later = tuple(turn for turn in kept.history.turns if turn.id > upto)
            kept.history = History(summary, upto, later)

    async def runs(self, session: Session) -> list[Run]:
        """As ``Store``."""
        kept = self._sessions.get(session)
        return list(kept.runs) if kept else []

    async def sessions(self, agent_id: str, user_id: str) -> list[Session]:
        """As ``Store``."""
        found = [
            (kept.runs[0].started, session)
            for session, kept in self._sessions.items()
            if (session.agent_id, session.user_id) == (agent_id, user_id)
        ]
        return [session for _, session in sorted(found, key=lambda each: each[0])]

    async def delete_session(self, session: Session) -> None:
        """As ``Store``."""
        self._sessions.pop(session, None)

    async def user_memories(self, agent_id: str, user_id: str) -> list[UserMemory]:
        """As ``Store``."""
        return list(self._users.get((agent_id, user_id), ()))

    async def add_user_memory(self, agent_id: str, user_id: str, text: str) -> UserMemory:
        """As ``Store``."""
        known = self._users.setdefault((agent_id, user_id), [])
        for memory in known:
            if memory.text == text:
                return memory
        known.append(UserMemory(next(self._ids), text))
        return known[-1]

    async def remove_user_memory(self, agent_id: str, user_id: str, memory_id: int) -> bool:
        """As ``Store``."""
        known = self._users.get((agent_id, user_id), [])
        left = [memory for memory in known if memory.id != memory_id]
        self._users[agent_id, user_id] = left
        return len(left) < len(known)

    async def aclose(self) -> None:
        """As ``Store``: what is remembered stays."""
