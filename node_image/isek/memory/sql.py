"""A memory in a SQL database."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict
from datetime import UTC
from functools import partial, wraps
from itertools import groupby
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import ColumnElement, and_, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from isek.memory import tables
from isek.memory.database import Database, ReadUrl
from isek.memory.records import History, Run, Session, Turn, UserMemory
from isek.memory.rows import from_row, key, storable, to_row
from isek.models.base import Message

P = ParamSpec("P")
T = TypeVar("T")
_SESSION_COLUMNS = ("agent_id", "user_id", "session_id")


def _whole(
    method: "Callable[Concatenate[SqlStore, P], Coroutine[Any, Any, T]]",
) -> "Callable[Concatenate[SqlStore, P], Coroutine[Any, Any, T]]":
    @wraps(method)
    async def finished(store: "SqlStore", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await store.database.finish(partial(method, store, *args, **kwargs))

    return finished


class SqlStore:
    """Keeps all in SQLite or PostgreSQL.

    Args:
        dialect: ``sqlite`` or ``postgresql``.
        url: where the database is, or what reads it.
    """

    def __init__(self, dialect: str, url: str | ReadUrl) -> None:
        self.database = Database(dialect, url)
        self._upsert: Any = sqlite.insert if dialect == "sqlite" else postgresql.insert

    @_whole
    async def history(self, session: Session) -> History:
        """As ``Store``."""
        found = select(tables.sessions).where(_is(session))
        async with self.database.transaction(reading=True) as connection:
            kept = (await connection.execute(found)).one_or_none()
            if kept is None:
                return History()
            said = (
                select(tables.messages)
                .join(tables.runs)
                .where(tables.runs.c.session == kept.id, tables.runs.c.id > kept.summarised)
                .order_by(tables.messages.c.run, tables.messages.c.position)
            )
            rows = (await connection.execute(said)).mappings().all()
        turns = [
            Turn(run, tuple(from_row(dict(row)) for row in group))
            for run, group in groupby(rows, key=lambda row: int(row["run"]))
        ]
        return History(kept.summary, kept.summarised, tuple(turns))

    @_whole
    async def add_run(self, session: Session, run: Run, messages: Sequence[Message]) -> None:
        """As ``Store``."""
        # the row stays locked until the end, so the ids of a session's runs are in the order in which they appear
        found = (
            self._upsert(tables.sessions)
            .values(_key(session))
            .on_conflict_do_update(index_elements=_SESSION_COLUMNS, set_={"agent_id": key(session.agent_id)})
            .returning(tables.sessions.c.id)
        )
        values = {name: storable(value) if isinstance(value, str) else value for name, value in asdict(run).items()}
        async with self.database.transaction() as connection:
            owner = (await connection.execute(found)).scalar_one()
            added = insert(tables.runs).values(session=owner, **values).returning(tables.runs.c.id)
            run_id = (await connection.execute(added)).scalar_one()
            if messages:
                rows = [{"run": run_id, "position": at, **to_row(each)} for at, each in enumerate(messages)]
                await connection.execute(insert(tables.messages), rows)

    @_whole
    async def summarise(self, session: Session, summary: str, known: History, upto: int) -> None:
        """As ``Store``."""
        unchanged = and_(_is(session), tables.sessions.c.summarised == known.summarised)
        values = {"summary": storable(summary), "summarised": upto}
        async with self.database.transaction() as connection:
            await connection.execute(update(tables.sessions).where(unchanged).values(values))

    @_whole
    async def runs(self, session: Session) -> list[Run]:
        """As ``Store``."""
        found = select(tables.runs).join(tables.sessions).where(_is(session)).order_by(tables.runs.c.id)
        async with self.database.transaction(reading=True) as connection:
            rows = (await connection.execute(found)).all()
        return [
            Run(
                row.asked,
                row.exit,
                row.started if row.started.tzinfo else row.started.replace(tzinfo=UTC),  # SQLite forgets it
                row.seconds,
                row.total_tokens,
                row.tool_calls,
                row.error,
            )
            for row in rows
        ]

    @_whole
    async def sessions(self, agent_id: str, user_id: str) -> list[Session]:
        """As ``Store``."""
        table = tables.sessions
        owned = and_(table.c.agent_id == key(agent_id), table.c.user_id == key(user_id))
        async with self.database.transaction(reading=True) as connection:
            rows = (await connection.execute(select(table.c.session_id).where(owned).order_by(table.c.id))).scalars()
        return [Session(agent_id, user_id, each) for each in rows]

    @_whole
    async def delete_session(self, session: Session) -> None:
        """As ``Store``."""
        async with self.database.transaction() as connection:
            await connection.execute(delete(tables.sessions).where(_is(session)))

    @_whole
    async def user_memories(self, agent_id: str, user_id: str) -> list[UserMemory]:
        """As ``Store``."""
        found = select(tables.user_memories).where(_of(agent_id, user_id)).order_by(tables.user_memories.c.id)
        async with self.database.transaction(reading=True) as connection:
            return [UserMemory(row.id, row.text) for row in await connection.execute(found)]

    @_whole
    async def add_user_memory(self, agent_id: str, user_id: str, text: str) -> UserMemory:
        """As ``Store``."""
        table = tables.user_memories
        text = storable(text)
        known = select(table.c.id).where(_of(agent_id, user_id), table.c.text == text)
        added = insert(table).values(agent_id=key(agent_id), user_id=key(user_id), text=text).returning(table.c.id)
        async with self.database.transaction() as connection:
            found = (await connection.execute(known)).scalars().first()
            return UserMemory(found or (await connection.execute(added)).scalar_one(), text)

    @_whole
    async def remove_user_memory(self, agent_id: str, user_id: str, memory_id: int) -> bool:
        """As ``Store``."""
        chosen = and_(_of(agent_id, user_id), tables.user_memories.c.id == memory_id)
        async with self.database.transaction() as connection:
            return bool((await connection.execute(delete(tables.user_memories).where(chosen))).rowcount)

    async def aclose(self) -> None:
        """As ``Store``."""
        await self.database.aclose()


def _key(session: Session) -> dict[str, str]:
    return {name: key(getattr(session, name) or "") for name in _SESSION_COLUMNS}


def _is(session: Session) -> ColumnElement[bool]:
    return and_(*(tables.sessions.c[name] == value for name, value in _key(session).items()))


def _of(agent_id: str, user_id: str) -> ColumnElement[bool]:
    return and_(tables.user_memories.c.agent_id == key(agent_id), tables.user_memories.c.user_id == key(user_id))
