"""A memory that lives as long as its process."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from isek.memory.records import History, Run, Session, Turn, UserMemory
from isek.models.base import Message
from isek.models.characters import OVERHEAD, characters_of

MAX_SESSIONS = 10_000
"""The least recently used ones are forgotten beyond it: a process may run for months."""
MAX_CHARACTERS = 64 * 1024 * 1024
"""Of all sessions; those that were used least recently are forgotten beyond it, be it the only one."""
MAX_RUNS = 1_000
"""Of one session; older ones are forgotten."""
MAX_USERS = 10_000
"""The facts about those for whom none was added for longest are forgotten beyond it."""


@dataclass
class _Kept:
    begun: datetime
    history: History = field(default_factory=History)
    runs: deque[Run] = field(default_factory=lambda: deque(maxlen=MAX_RUNS))
    characters: int = 0

    def count(self, session: Session) -> int:
        """Find out how large it is; how much larger than before."""
        before = self.characters
        said = (message for turn in self.history.turns for message in turn.messages)
        runs = sum(OVERHEAD + len(run.asked) for run in self.runs)
        names = OVERHEAD + len(session.user_id) + len(session.session_id or "")
        self.characters = characters_of(said) + len(self.history.summary) + runs + names
        return self.characters - before


class InProcessStore:
    """Keeps all in dictionaries. It has no ``await`` between a look and a change, so it needs no lock."""

    def __init__(self) -> None:
        self._sessions: dict[Session, _Kept] = {}
        self._users: dict[tuple[str, str], list[UserMemory]] = {}
        self._ids = count(1)
        self._characters = 0

    async def history(self, session: Session) -> History:
        """As ``Store``."""
        kept = self._sessions.get(session)
        return kept.history if kept else History()

    async def add_run(self, session: Session, run: Run, messages: Sequence[Message]) -> None:
        """As ``Store``."""
        kept = self._sessions.pop(session, None) or _Kept(run.started)
        self._sessions[session] = kept  # at the end: it was used last
        kept.runs.append(run)
        if messages:
            turn = Turn(next(self._ids), tuple(messages))
            kept.history = replace(kept.history, turns=(*kept.history.turns, turn))
        self._characters += kept.count(session)
        while len(self._sessions) > MAX_SESSIONS or self._characters > MAX_CHARACTERS:
            self._forget(next(iter(self._sessions)))

    async def summarise(self, session: Session, summary: str, known: History, upto: int) -> None:
        """As ``Store``."""
        kept = self._sessions.get(session)
        if kept and kept.history.summarised == known.summarised:
            later = tuple(turn for turn in kept.history.turns if turn.id > upto)
            kept.history = History(summary, upto, later)
            self._characters += kept.count(session)

    async def runs(self, session: Session) -> list[Run]:
        """As ``Store``."""
        kept = self._sessions.get(session)
        return list(kept.runs) if kept else []

    async def sessions(self, agent_id: str, user_id: str) -> list[Session]:
        """As ``Store``."""
        found = [
            (kept.begun, session)
            for session, kept in self._sessions.items()
            if (session.agent_id, session.user_id) == (agent_id, user_id)
        ]
        return [session for _, session in sorted(found, key=lambda each: each[0])]

    async def delete_session(self, session: Session) -> None:
        """As ``Store``."""
        if session in self._sessions:
            self._forget(session)

    def _forget(self, session: Session) -> None:
        self._characters -= self._sessions.pop(session).characters

    async def user_memories(self, agent_id: str, user_id: str) -> list[UserMemory]:
        """As ``Store``."""
        return list(self._users.get((agent_id, user_id), ()))

    async def add_user_memory(self, agent_id: str, user_id: str, text: str) -> UserMemory:
        """As ``Store``."""
        known = self._users.pop((agent_id, user_id), [])
        self._users[agent_id, user_id] = known
        if len(self._users) > MAX_USERS:
            del self._users[next(iter(self._users))]
        for memory in known:
            if memory.text == text:
                return memory
        known.append(UserMemory(next(self._ids), text))
        return known[-1]

    async def remove_user_memory(self, agent_id: str, user_id: str, memory_id: int) -> bool:
        """As ``Store``."""
        known = self._users.get((agent_id, user_id), [])
        left = [memory for memory in known if memory.id != memory_id]
        if left:
            self._users[agent_id, user_id] = left
        else:
            self._users.pop((agent_id, user_id), None)
        return len(left) < len(known)

    async def aclose(self) -> None:
        """As ``Store``: what is remembered stays."""
