"""The memory of one agent or of several."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isek.log import log
from isek.memory import summary
from isek.memory.errors import MemoryUnavailable
from isek.memory.records import History, Run, Session, UserMemory
from isek.models.base import Message, Model, ModelReply
from isek.models.errors import ModelError

if TYPE_CHECKING:
    from isek.memory.store import Store


MAX_USER_MEMORIES = 100
"""Of one user: all of them stand in each prompt."""
DIALECTS = {"sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql"}

ReadUrl = Callable[[], str | Awaitable[str]]
Invoke = Callable[[Sequence[Message]], Awaitable[ModelReply]]


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
    """Remembers conversations and, if it is to, what users are like.

    Several agents may share one: each remembers its own. Two runs of one session at a time know nothing of each
    other; the one that ends first stands first, and each stands as a whole.

    Args:
        url: ``sqlite:///file.db`` (three slashes: relative to the working directory; four: absolute) or
            ``postgresql://user:password@host/database``; None: the process's own memory, which ends with it.
        user_memories: whether agents get the tools ``remember`` and ``forget``, and know in each session what they
            have remembered of a user.
        max_tokens: of conversation that are kept word for word; the older part is summed up by the model. Default:
            half of the model's context window, or 32,000 where that is not known.

    Raises:
        TypeError: what is given is no URL.
        TypeError: the URL is none.
        ValueError: it is of no database that can be used.
    """

    def __init__(
        self, url: str | ReadUrl | None = None, *, user_memories: bool = False, max_tokens: int | None = None
    ) -> None:
        if url is not None and not isinstance(url, str) and not callable(url):
            raise TypeError(f"Memory: url must be a text or a function that reads one, not {url!r}")
        self._url = url
        self._dialect = _dialect(url)
        self._max_tokens = max_tokens
        self._store: Store | None = None
        self.remembers_users = user_memories
        """Whether agents may remember facts about users."""

    async def recall(self, session: Session, model: Model, invoke: Invoke | None = None) -> Recollection:
        """What is known of the session and its user; ``model`` sums up what has become too long, by ``invoke``.

        Raises:
            MemoryUnavailable: the database cannot be used.
        """
        facts: tuple[str, ...] = ()
        if self.remembers_users:
            facts = tuple(each.text for each in await self.user_memories(session.agent_id, session.user_id))
        if session.session_id is None:
            return Recollection(facts)
        history = await self._summed_up(session, await self._opened().history(session), model, invoke or model.invoke)
        said = (message for turn in history.turns for message in turn.messages)
        return Recollection(facts, history.summary, tuple(said))

    async def record(self, session: Session, run: Run, messages: Sequence[Message]) -> None:
        """Keep a run and what was said in it, from the user's message to the answer; nothing, where there is none.

        Raises:
            MemoryUnavailable: the database cannot be used.
        """
        if session.session_id is not None:
            await self._opened().add_run(session, run, messages)

    async def sessions(self, agent_id: str, user_id: str = "default") -> list[Session]:
        """The user's sessions with the agent, the oldest first."""
        return await self._opened().sessions(agent_id, user_id)

    async def runs(self, session: Session) -> list[Run]:
        """The session's runs, the oldest first; failed ones, too."""
        return await self._opened().runs(session)

    async def delete_session(self, session: Session) -> None:
        """Forget all that was said in the session."""
        await self._opened().delete_session(session)

    async def user_memories(self, agent_id: str, user_id: str = "default") -> list[UserMemory]:
        """What the agent knows of the user, the oldest first."""
        return await self._opened().user_memories(agent_id, user_id)

    async def add_user_memory(self, agent_id: str, text: str, user_id: str = "default") -> UserMemory:
        """Keep a fact about the user.

        Raises:
            ValueError: there are too many.
            MemoryUnavailable: the database cannot be used.
        """
        if len(await self.user_memories(agent_id, user_id)) >= MAX_USER_MEMORIES:
            raise ValueError(f"{MAX_USER_MEMORIES} facts about the user are remembered already: forget one first")
        return await self._opened().add_user_memory(agent_id, user_id, text)

    async def remove_user_memory(self, agent_id: str, memory_id: int, user_id: str = "default") -> bool:
        """Forget a fact about the user; false: there is none of that id."""
        return await self._opened().remove_user_memory(agent_id, user_id, memory_id)

    async def aclose(self) -> None:
        """Let go of connections; the next use opens them anew."""
        if self._store is not None:
            await self._store.aclose()

    def _opened(self) -> "Store":
        if self._store is None:
            self._store = _store(self._dialect, self._url)
        return self._store

    async def _summed_up(self, session: Session, history: History, model: Model, invoke: Invoke) -> History:
        tokens = summary.budget(model, self._max_tokens)
        older = summary.older(history.turns, model, tokens)
        if not older:
            return history
        text = history.summary
        try:
            for said in summary.questions(older, tokens):
                text = _minutes(await invoke(summary.request(text, said)))
        except ModelError as error:
            log().warning("session {} is not summed up yet, and told in full: {}", session.session_id, error)
            return history
        upto = older[-1].id
        await self._opened().summarise(session, text, history, upto)
        return History(text, upto, history.turns[len(older) :])


def _minutes(reply: ModelReply) -> str:
    """What takes the place of a conversation.

    Raises:
        ModelError: it is nothing, and would wipe out what was said.
    """
    if not reply.text.strip():
        raise ModelError("the model's summary is empty", hint="take a model that follows instructions")
    return reply.text


def _dialect(url: str | ReadUrl | None) -> str:
    if url is None:
        return ""
    if callable(url):
        return "postgresql"
    if not isinstance(url, str):
        raise TypeError(f"a memory's URL is a text, or a function that reads it, not {url!r}")
    scheme, _, rest = url.partition("://")
    dialect = DIALECTS.get(scheme)
    if dialect == "sqlite" and rest.strip("/") == ":memory:":
        raise ValueError("a memory of the process alone has no URL: Memory()")
    if dialect is None or (dialect == "sqlite" and not rest.strip("/")):
        raise ValueError("a memory's URL is sqlite:///<file> or postgresql://<user>:<password>@<host>/<database>")
    return dialect


def _store(dialect: str, url: str | ReadUrl | None) -> "Store":
    if url is None:
        from isek.memory.in_process import InProcessStore  # noqa: PLC0415

        return InProcessStore()
    try:
        from isek.memory.sql import SqlStore  # noqa: PLC0415  (SQLAlchemy: a third of a second)
    except ModuleNotFoundError as error:
        raise MemoryUnavailable(
            f"a memory in a database needs the package {error.name}", hint="pip install 'isek-operator[node]'"
        ) from None
    return SqlStore(dialect, url)
