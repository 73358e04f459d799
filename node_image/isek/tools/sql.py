"""Reading from a database."""

import asyncio
import re
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from isek.asking import CallContext
from isek.calling import Readable, read_now
from isek.models.base import ToolSchema
from isek.tools.base import Tool, ToolError, text_argument
from isek.tools.fetching import cut
from isek.tools.function import as_text

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy.ext.asyncio import AsyncEngine

MAX_ROWS = 100
MAX_CHARACTERS = 32_768
TIMEOUT_SECONDS = 30.0
STEPS_BETWEEN_LOOKS = 10_000
"""Instructions of SQLite's virtual machine between two looks at the clock."""
MAX_VALUE = 1_000_000
"""Bytes of a value or a row that SQLite reads or makes."""
QUERY = re.compile(r"(?>\s+|--[^\n]*|/\*.*?\*/)*+(?:SELECT|WITH)\b", re.IGNORECASE | re.DOTALL)
"""How a query begins, after comments."""


class Sql(Tool):
    """Answers one SELECT. The database itself refuses to write: SQLite opens the file read-only, PostgreSQL runs a
    read-only transaction on a connection of its own.

    Args:
        url: ``sqlite:///<path>`` or ``postgresql://<user>:<password>@<host>/<database>``, or what reads it when needed.
        max_rows: that a model is told.
    """

    timeout_seconds = TIMEOUT_SECONDS + 5

    def __init__(self, url: Readable, *, max_rows: int = MAX_ROWS) -> None:
        self._url = url
        self._max_rows = max_rows
        self.schema = ToolSchema(
            name="sql",
            description=f"Runs one SQL query, a SELECT, and returns at most {max_rows} rows.",
            parameters={
                "type": "object",
                "properties": {"query": {"type": "string"}},
                "required": ["query"],
                "additionalProperties": False,
            },
        )

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """``{"columns": […], "rows": [[…], …]}``, with ``"more": true`` where rows were left out."""
        query = text_argument(arguments, "query").strip().removesuffix(";")
        if not QUERY.match(query):
            raise ToolError("only one query that begins with SELECT or WITH is allowed")
        ended = threading.Event()
        running = asyncio.create_task(self._run(query, min(TIMEOUT_SECONDS, context.remaining_seconds()), ended))
        try:
            await asyncio.wait([running])
        finally:  # SQLite first: SQLAlchemy, once it is cancelled, waits for SQLite's thread
            ended.set()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        return cut(as_text(running.result()), MAX_CHARACTERS)

    async def _run(self, query: str, seconds: float, ended: threading.Event) -> dict[str, Any]:
        from asyncpg import InterfaceError, PostgresError  # noqa: PLC0415
        from sqlalchemy import text  # noqa: PLC0415
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError  # noqa: PLC0415

        engine = _engine(await read_now(self._url), seconds, ended)
        try:
            async with engine.connect() as connection:
                result = await connection.stream(text(query.replace(":", r"\:")))
                rows = await result.fetchmany(self._max_rows + 1)
                columns = list(result.keys())
                await result.close()
        except DBAPIError as error:
            raise ToolError(f"the database refuses it: {error.orig}") from None
        except (PostgresError, InterfaceError) as error:  # SQLAlchemy lets some through as they are
            raise ToolError(f"the database refuses it: {error}") from None
        except SQLAlchemyError as error:
            raise ToolError(f"the query cannot be run: {error}") from None
        except OSError as error:
            raise ToolError(f"the database cannot be reached: {error.strerror or type(error).__name__}") from None
        finally:
            await engine.dispose()
        told = [list(map(_cell, row)) for row in rows[: self._max_rows]]
        return {"columns": columns, "rows": told} | ({"more": True} if len(rows) > self._max_rows else {})


def _engine(url: str, seconds: float, ended: threading.Event) -> "AsyncEngine":
    scheme, _, rest = url.partition("://")
    match scheme.partition("+")[0]:
        case "sqlite":
            return _sqlite(url, seconds, ended)
        case "postgresql" | "postgres":
            return _postgresql(f"postgresql://{rest}", seconds)
        case other if rest:
            raise ToolError(f"databases are SQLite files or PostgreSQL, not {other}")
    raise _no_url()


def _sqlite(given: str, seconds: float, ended: threading.Event) -> "AsyncEngine":
    import sqlite3  # noqa: PLC0415

    from sqlalchemy import make_url  # noqa: PLC0415
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    deadline = time.monotonic() + seconds

    def over() -> bool:  # it runs in a thread that nobody else can stop
        return ended.is_set() or time.monotonic() > deadline

    def bounded(*args: Any, **kwargs: Any) -> "sqlite3.Connection":
        connection = sqlite3.Connection(*args, **kwargs)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
        connection.set_progress_handler(over, STEPS_BETWEEN_LOOKS)
        return connection

    try:
        path = make_url(given).database
    except (ArgumentError, ValueError):
        path = None
    if not path:
        raise _no_url()
    url = f"sqlite+aiosqlite:///file:{quote(path)}?mode=ro&uri=true"
    return create_async_engine(url, poolclass=NullPool, connect_args={"factory": bounded})


def _postgresql(url: str, seconds: float) -> "AsyncEngine":
    import asyncpg  # noqa: PLC0415
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    settings = {
        "default_transaction_read_only": "on",
        "statement_timeout": str(max(1, int(seconds * 1000))),  # 0 would be: none
    }

    async def connect() -> Any:
        # asyncpg reads the URL itself: it knows sslmode, several hosts, and what else libpq does
        try:
            return await asyncpg.connect(url, timeout=seconds, server_settings=settings)
        except ValueError:
            raise _no_url() from None

    # what a query changes in its session must not outlive it
    return create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)


def _no_url() -> ToolError:
    return ToolError("the URL of the database is none")  # not which: it may hold a password


def _cell(value: Any) -> Any:
    return f"<{len(value)} bytes>" if isinstance(value, bytes | memoryview) else value
