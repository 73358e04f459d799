"""Connections to the database of a memory, with its tables up to date."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from isek.memory.errors import MemoryUnavailable

MIGRATION_LOCK = 0x6973656B  # "isek"
CONNECT_SECONDS = 5
WORK_SECONDS = 15
"""For one piece of work, waiting for a connection included: a database that does not answer must not hold up a run."""
HINT = "start the database, or mend the memory's URL; the next message tries again"

ReadUrl = Callable[[], Awaitable[str]]


@dataclass(frozen=True)
class _Opened:
    engine: AsyncEngine
    loop: asyncio.AbstractEventLoop
    migrating: asyncio.Lock = field(default_factory=asyncio.Lock)


class Database:
    """Opens itself when it is first used, and again after it was gone.

    Args:
        dialect: ``sqlite`` or ``postgresql``.
        read_url: the URL; read for each new connection to PostgreSQL, so that a password may change.
    """

    def __init__(self, dialect: str, read_url: ReadUrl) -> None:
        self._dialect = dialect
        self._read_url = read_url
        self._opened: _Opened | None = None
        self._up_to_date = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose work is done as a whole, or not at all.

        Raises:
            MemoryUnavailable: the database cannot be used.
        """
        try:
            async with asyncio.timeout(WORK_SECONDS):
                opened = await self._open()
                await self._migrate(opened)
                async with opened.engine.begin() as connection:
                    yield connection
        except CommandError as error:
            raise MemoryUnavailable(
                f"the memory's tables cannot be brought up to date: {error}",
                hint="a newer version of Isek has used this database: take that one",
            ) from None
        except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            self._up_to_date = False  # another database may come back in its place
            raise MemoryUnavailable(f"the memory's database cannot be used: {_reason(error)}", hint=HINT) from None

    async def aclose(self) -> None:
        """Let go of connections."""
        opened, self._opened = self._opened, None
        if opened is not None:
            # asyncpg's connections can be closed on their own loop only
            ours = opened.loop is asyncio.get_running_loop()
            await opened.engine.dispose(close=ours or self._dialect == "sqlite")

    async def _open(self) -> _Opened:
        loop = asyncio.get_running_loop()
        if self._opened is not None and self._opened.loop is not loop:
            await self.aclose()  # a script that calls asyncio.run() once more: connections belong to their loop
        if self._opened is None:
            engine = self._sqlite(await self._read_url()) if self._dialect == "sqlite" else self._postgresql()
            self._opened = self._opened or _Opened(engine, loop)
        return self._opened

    def _sqlite(self, url: str) -> AsyncEngine:
        # one connection, for which the process queues up in turn: SQLite has one writer, and lets others poll
        engine = create_async_engine(
            make_url(url).set(drivername="sqlite+aiosqlite"),
            pool_size=1,
            max_overflow=0,
            hide_parameters=True,
            connect_args={"timeout": CONNECT_SECONDS},
        )
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_writing)
        return engine

    def _postgresql(self) -> AsyncEngine:
        async def connect() -> Any:
            # asyncpg reads the URL itself: it knows sslmode, several hosts, and what else libpq does
            try:
                return await asyncpg.connect(await self._read_url(), timeout=CONNECT_SECONDS)
            except ValueError:  # its message may hold a piece of the password
                raise MemoryUnavailable(
                    "the memory's URL is not one of PostgreSQL",
                    hint="it is postgresql://user:password@host:5432/database, with special characters as %XX",
                ) from None

        return create_async_engine(
            "postgresql+asyncpg://", async_creator=connect, pool_pre_ping=True, hide_parameters=True
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


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # Python's own idea of when a transaction begins leaves out CREATE TABLE
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_writing(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # a read that turns into a write could not wait for its turn


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    original = getattr(error, "orig", None) or error
    return str(original).partition("\n")[0]
