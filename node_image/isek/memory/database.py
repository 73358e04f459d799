"""Connections to the database of a memory, with its tables up to date."""

import asyncio
import inspect
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from isek.memory.errors import MemoryUnavailable
from isek.per_loop import PerLoop

MIGRATION_LOCK = 0x6973656B  # "isek"
CONNECT_SECONDS = 5
WORK_SECONDS = 15
"""For one piece of work: a database that does not answer must not hold up a run."""
CONNECTIONS = 15
"""To PostgreSQL, at most."""
HINT = "start the database, or mend the memory's URL; the next message tries again"

ReadUrl = Callable[[], str | Awaitable[str]]
T = TypeVar("T")


@dataclass(frozen=True)
class _Opened:
    engine: AsyncEngine
    turns: asyncio.Semaphore
    """As many as there are connections: time in the queue is not the database's."""
    migrating: asyncio.Lock = field(default_factory=asyncio.Lock)


class Database:
    """Opens itself when it is first used, and again after it was gone.

    Args:
        dialect: ``sqlite`` or ``postgresql``.
        url: where it is; of PostgreSQL, or what reads it for each new connection, so that a password may change.
    """

    def __init__(self, dialect: str, url: str | ReadUrl) -> None:
        self._dialect = dialect
        self._url = url
        self._opened = PerLoop(self._open, _close)
        self._up_to_date = False
        self._silences = 0
        """How often it has not answered."""
        self._working: set[asyncio.Task[Any]] = set()

    async def finish(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What ``work`` returns. It is finished though the caller is cancelled: SQLite would stay locked for all
        others by a transaction that is let go in the middle."""
        task = asyncio.create_task(work())
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        return await asyncio.shield(task)

    @asynccontextmanager
    async def transaction(self, *, reading: bool = False) -> AsyncIterator[AsyncConnection]:
        """A connection whose work is done as a whole, or not at all.

        Args:
            reading: nothing is written.

        Raises:
            MemoryUnavailable: the database cannot be used.
        """
        silences = self._silences
        try:
            opened = await self._opened.get()
            async with opened.turns:
                if self._silences != silences:  # it has let down somebody before: not all have to find out
                    raise _unavailable("it does not answer in time")
                async with asyncio.timeout(WORK_SECONDS):
                    await self._migrate(opened)
                    async with opened.engine.execution_options(reading=reading).begin() as connection:
                        yield connection
        except CommandError as error:
            raise MemoryUnavailable(
                f"the memory's tables cannot be brought up to date: {error}",
                hint="a newer version of Isek has used this database: take that one",
            ) from None
        except TimeoutError:
            self._silences += 1
            raise _unavailable("it does not answer in time") from None
        except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            self._up_to_date = False  # another database may come back in its place
            original = getattr(error, "orig", None) or error
            raise _unavailable(str(original).partition("\n")[0]) from None

    async def aclose(self) -> None:
        """Let go of connections, once what is begun has ended."""
        loop = asyncio.get_running_loop()
        if ours := [task for task in list(self._working) if task.get_loop() is loop]:
            await asyncio.wait(ours)
        await self._opened.aclose()

    def _open(self) -> _Opened:
        if self._dialect == "sqlite":
            return _Opened(self._sqlite(), asyncio.Semaphore(1))
        return _Opened(self._postgresql(), asyncio.Semaphore(CONNECTIONS))

    def _sqlite(self) -> AsyncEngine:
        # one connection, for which the process queues up in turn: SQLite has one writer, and lets others poll
        engine = create_async_engine(
            make_url(str(self._url)).set(drivername="sqlite+aiosqlite"),
            pool_size=1,
            max_overflow=0,
            hide_parameters=True,
            connect_args={"timeout": CONNECT_SECONDS},
        )
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine

    def _postgresql(self) -> AsyncEngine:
        async def connect() -> Any:
            # asyncpg reads the URL itself: it knows sslmode, several hosts, and what else libpq does
            read = self._url() if callable(self._url) else self._url
            url = await read if inspect.isawaitable(read) else read
            try:
                return await asyncpg.connect(url, timeout=CONNECT_SECONDS)
            except ValueError:  # its message may hold a piece of the password
                raise MemoryUnavailable(
                    "the memory's URL is not one of PostgreSQL",
                    hint="it is postgresql://user:password@host:5432/database, with special characters as %XX",
                ) from None

        return create_async_engine(
            "postgresql+asyncpg://",
            async_creator=connect,
            pool_pre_ping=True,
            pool_size=CONNECTIONS,
            max_overflow=0,
            hide_parameters=True,
        )

    async def _migrate(self, opened: _Opened) -> None:
        async with opened.migrating:
            if not self._up_to_date:
                async with opened.engine.begin() as connection:
                    if self._dialect == "postgresql":  # SQLite's transaction is a lock already
                        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
                    await connection.run_sync(_upgrade)
                self._up_to_date = True


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def _close(opened: _Opened) -> None:
    await opened.engine.dispose()


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # Python's own idea of when a transaction begins leaves out CREATE TABLE
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    with suppress(sqlite3.OperationalError):  # somebody else is about to do it: the file stays so
        cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")  # with a WAL, only a power failure may take the latest commits along
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # a read that turns into a write could not wait for its turn
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _unavailable(reason: str) -> MemoryUnavailable:
    return MemoryUnavailable(f"the memory's database cannot be used: {reason}", hint=HINT)
