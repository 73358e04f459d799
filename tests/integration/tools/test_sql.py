import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from isek import ToolError
from isek.tools import sql
from isek.tools.sql import Sql

from tests.support.asking import context
from tests.support.postgres import PostgresServer

ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = tmp_path / "a b.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE plan (day TEXT, n INTEGER, raw BLOB)")
        connection.executemany("INSERT INTO plan VALUES (?, ?, ?)", [(f"d{n}", n, b"\xff") for n in range(5)])
        connection.commit()
    return f"sqlite:///{path}"


async def test_a_query_is_answered(database: str) -> None:
    said = await Sql(database).call({"query": "SELECT day, n, raw, ':x' AS c FROM plan WHERE n = 1;"}, context())

    assert json.loads(said) == {"columns": ["day", "n", "raw", "c"], "rows": [["d1", 1, "<1 bytes>", ":x"]]}


async def test_rows_beyond_the_limit_are_left_out(database: str) -> None:
    said = json.loads(await Sql(database, max_rows=2).call({"query": "SELECT n FROM plan ORDER BY n"}, context()))

    assert said == {"columns": ["n"], "rows": [[0], [1]], "more": True}


@pytest.mark.parametrize(
    "query",
    [
        "SELECT\tcount(*) FROM plan",
        "select(5)",
        "-- how many\n/* of\nall */ SELECT count(*) FROM plan",
        "WITH x AS (SELECT 5) SELECT*FROM x",
    ],
)
async def test_a_query_is_known_however_it_is_written(database: str, query: str) -> None:
    assert json.loads(await Sql(database).call({"query": query}, context()))["rows"] == [[5]]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("DELETE FROM plan", "only one query that begins with SELECT or WITH"),
        ("PRAGMA user_version = 1", "only one query"),
        ("ATTACH 'x' AS y", "only one query"),
        ("SELECT 1; DELETE FROM plan", "one statement at a time"),
        ("WITH x AS (SELECT 1) DELETE FROM plan", "readonly database"),
        ("SELECT nonsense FROM plan", "no such column: nonsense"),
        ("SELECT hex(zeroblob(1000000))", "string or blob too big"),
        ("", "only one query"),
        ("/**/" * 1000, "only one query"),
        ("SELECTION", "only one query"),
    ],
)
async def test_nothing_but_a_query_gets_through(database: str, query: str, problem: str) -> None:
    with pytest.raises(ToolError, match=problem):
        await Sql(database).call({"query": query}, context())

    assert json.loads(await Sql(database).call({"query": "SELECT count(*) FROM plan"}, context()))["rows"] == [[5]]


async def test_a_query_that_does_not_end_is_cut_off(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "TIMEOUT_SECONDS", 0.1)

    with pytest.raises(ToolError, match="interrupted"):
        await Sql(database).call({"query": ENDLESS}, context())


async def test_a_query_ends_with_its_run(database: str) -> None:
    with pytest.raises(ToolError, match="interrupted"):
        await Sql(database).call({"query": ENDLESS}, context(seconds=0.1))


async def test_a_query_that_nobody_waits_for_any_more_ends(database: str) -> None:
    calling = asyncio.create_task(Sql(database).call({"query": ENDLESS}, context()))
    await asyncio.wait([calling], timeout=0.5)  # it runs by now

    calling.cancel()

    done, _ = await asyncio.wait([calling], timeout=15)
    assert done == {calling}


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("sqlite:////none/at/all.db", "unable to open database file"),
        ("mysql://root:s3cret@db/x", "databases are SQLite files or PostgreSQL, not mysql"),
        ("s3cret", "the URL of the database is none"),
        ("sqlite://", "the URL of the database is none"),
        ("postgresql://u:x@127.0.0.1:s3cret/x", "the URL of the database is none"),
        ("postgresql://u:s3cret@127.0.0.1:1/x", "the database cannot be reached"),
    ],
)
async def test_a_database_that_is_not_there_is_told_without_its_password(url: str, problem: str) -> None:
    with pytest.raises(ToolError, match=problem) as refused:
        await Sql(url).call({"query": "SELECT 1"}, context())

    assert "s3cret" not in str(refused.value)


async def test_postgresql_is_read_and_nothing_more() -> None:
    async with PostgresServer() as postgres:
        url = await postgres.create("shop")
        await postgres.execute("CREATE TABLE plan (n INTEGER, day DATE)", "shop")
        await postgres.execute("INSERT INTO plan VALUES (1, '2026-11-21')", "shop")
        tool = Sql(f"{url}?sslmode=disable")

        said = json.loads(await tool.call({"query": "SELECT n, n::text AS t, day FROM plan"}, context()))
        assert said == {"columns": ["n", "t", "day"], "rows": [[1, "1", "2026-11-21"]]}

        for query, problem in (
            ("WITH x AS (DELETE FROM plan RETURNING 1) SELECT * FROM x", "read-only transaction"),
            ("SELECT set_config('transaction_read_only', 'off', false)", "must be set before any query"),
            ("SELECT 1; DELETE FROM plan", "multiple commands"),
            ("SELECT nonsense FROM plan", 'column "nonsense" does not exist'),
        ):
            with pytest.raises(ToolError, match=problem):
                await tool.call({"query": query}, context())

        await tool.call({"query": "SELECT set_config('default_transaction_read_only', 'off', false)"}, context())
        with pytest.raises(ToolError, match="read-only transaction"):
            await tool.call({"query": "WITH x AS (DELETE FROM plan RETURNING 1) SELECT * FROM x"}, context())
        assert await postgres.execute("SELECT count(*) FROM plan", "shop") == [(1,)]


async def test_a_query_of_postgresql_ends_with_its_run() -> None:
    async with PostgresServer() as postgres:
        with pytest.raises(ToolError, match="statement timeout"):
            await Sql(postgres.url()).call({"query": "SELECT pg_sleep(60)"}, context(seconds=5))
