"""Where memories are kept."""

from collections.abc import Sequence
from typing import Protocol

from isek.memory.records import History, Run, Session, UserMemory
from isek.models.base import Message


class Store(Protocol):
    """Keeps sessions, runs, and facts about users. Each method is all or nothing, and may be called at any time.

    All of them raise ``MemoryUnavailable`` where the store cannot be reached.
    """

    async def history(self, session: Session) -> History:
        """The session's summary, and the turns after it."""
        ...

    async def add_run(self, session: Session, run: Run, messages: Sequence[Message]) -> None:
        """Keep a run and what was said in it, after all that the session has."""
        ...

    async def summarise(self, session: Session, summary: str, known: History, upto: int) -> None:
        """Replace the summary by one that goes up to the turn ``upto``, unless somebody has since ``known``."""
        ...

    async def runs(self, session: Session) -> list[Run]:
        """The session's runs, the oldest first."""
        ...

    async def sessions(self, agent_id: str, user_id: str) -> list[Session]:
        """The user's sessions with the agent, the oldest first."""
        ...

    async def delete_session(self, session: Session) -> None:
        """Forget the session and its runs."""
        ...

    async def user_memories(self, agent_id: str, user_id: str) -> list[UserMemory]:
        """What the agent knows of the user, the oldest first."""
        ...

    async def add_user_memory(self, agent_id: str, user_id: str, text: str) -> UserMemory:
        """Keep a fact; one that is known already stays as it is."""
        ...

    async def remove_user_memory(self, agent_id: str, user_id: str, memory_id: int) -> bool:
        """Forget a fact; false: there is none of that id."""
        ...

    async def aclose(self) -> None:
        """Let go of connections. The next use opens them anew."""
        ...
