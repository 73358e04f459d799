"""Reading from a database."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from isek.asking import CallContext
from isek.models.base import ToolSchema
from isek.tools.base import Tool, ToolError, text_argument
from isek.tools.fetching import cut
from isek.tools.function import as_text

if TYPE_CHECKING:
    from sqlalchemy import URL
    from sqlalchemy.ext.asyncio import AsyncConnection

MAX_ROWS = 100
MAX_CHARACTERS = 32_768
TIMEOUT_SECONDS = 30.0
STEPS_BETWEEN_LOOKS = 10_000
"""Instructions of SQLite's virtual machine between two looks at the clock."""


class Sql(Tool):
    """Answers one SELECT. The database itself refuses to write: SQLite opens the file read-only, PostgreSQL runs a
    read-only transaction on a connection of its own.

    Args:
        url: ``sqlite:///<path>`` or ``postgresql://<user>:<password>@<host>/<database>``, or what reads it when needed.
        max_rows: that a model is told.
    """

    timeout_seconds = TIMEOUT_SECONDS + 5

    def __init__(self, url: str | Callable[[], str], *, max_rows: int = MAX_ROWS) -> None:
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
        if query.partition(" ")[0].partition("\n")[0].upper() not in {"SELECT", "WITH"}:
            raise ToolError("only one query that begins with SELECT or WITH is allowed")
        return cut(as_text(await self._run(query)), MAX_CHARACTERS)

    async def _run(self, query: str) -> dict[str, Any]:
        from asyncpg import PostgresError  # noqa: PLC0415
        from sqlalchemy import text  # noqa: PLC0415
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError  # noqa: PLC0415
        from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415
        from sqlalchemy.pool import NullPool  # noqa: PLC0415

        url, options = _read_only(self._url if isinstance(self._url, str) else self._url())
        # what a query changes in its session must not outlive it
        engine = create_async_engine(url, poolclass=NullPool, connect_args=options)
        try:
            async with engine.connect() as connection:
                if engine.dialect.name == "sqlite":
                    await _cut_off(connection)
                result = await connection.stream(text(query.replace(":", r"\:")))
                rows = await result.fetchmany(self._max_rows + 1)
                columns = list(result.keys())
                await result.close()
        except DBAPIError as error:
            raise ToolError(f"the database refuses it: {error.orig}") from None
        except PostgresError as error:  # while rows come in, SQLAlchemy lets it through as it is
            raise ToolError(f"the database refuses it: {error}") from None
        except SQLAlchemyError as error:
            raise ToolError(f"the query cannot be run: {error}") from None
        except OSError as error:
            raise ToolError(f"the database cannot be reached: {error.strerror or type(error).__name__}") from None
        finally:
            await engine.dispose()
        told = [list(map(_cell, row)) for row in rows[: self._max_rows]]
        return {"columns": columns, "rows": told} | ({"more": True} if len(rows) > self._max_rows else {})


def _read_only(given: str) -> "tuple[URL, dict[str, Any]]":
    from sqlalchemy import make_url  # noqa: PLC0415
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        url = make_url(given)
    except ArgumentError:
        raise ToolError("the URL of the database is none") from None  # it may hold a password
    match url.get_backend_name():
        case "sqlite" if url.database:
            file = f"file:{quote(url.database)}?mode=ro&uri=true"
            return make_url(f"sqlite+aiosqlite:///{file}"), {}
        case "postgresql" | "postgres":
            settings = {
                "default_transaction_read_only": "on",
                "statement_timeout": str(int(TIMEOUT_SECONDS * 1000)),
            }
            return url.set(drivername="postgresql+asyncpg"), {"server_settings": settings}
        case other:
            raise ToolError(f"databases are SQLite files or PostgreSQL, not {other}")


async def _cut_off(connection: "AsyncConnection") -> None:
    """Let SQLite, which runs in a thread that nobody can stop, stop itself."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.set_progress_handler(lambda: time.monotonic() > deadline, STEPS_BETWEEN_LOOKS)


def _cell(value: Any) -> Any:
    return f"<{len(value)} bytes>" if isinstance(value, bytes | memoryview) else value
