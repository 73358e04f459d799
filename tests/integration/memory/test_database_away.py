"""A database that goes away and returns, and processes that do."""

import asyncio
import sqlite3
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from isek import IsekAgent, Limits, LoopExit, Memory, MemoryUnavailable, Message
from isek.events import RunEnded
from isek.memory import database
from isek.sync import wait_for

from tests.support.log_lines import LogLines
from tests.support.memories import run, said, session
from tests.support.postgres import PASSWORD, PostgresServer
from tests.support.recording_model import RecordingModel, calls


async def test_a_run_ends_with_a_typed_error_while_the_database_is_away_and_goes_on_once_it_is_back(
    postgres: PostgresServer,
) -> None:
    model = RecordingModel("one", "two")
    agent = IsekAgent(model=model, memory=Memory(await postgres.create("away")))
    assert (await agent.arun("first", session_id="s")).payload == "one"

    await postgres.stop()
    away = await agent.arun("lost", session_id="s")
    await postgres.start()
    back = await agent.arun("second", session_id="s")
    await agent.aclose()

    assert away.exit is LoopExit.ERROR
    assert away.errors[0].code == "MemoryUnavailable"
    assert away.errors[0].transient
    assert back.payload == "two"
    assert [message.content for message in model.conversations[-1]] == ["first", "one", "second"]


async def test_an_answer_stands_though_the_database_went_away_meanwhile(
    postgres: PostgresServer, log: LogLines
) -> None:
    async def unplug() -> str:
        await postgres.stop()
        return "unplugged"

    agent = IsekAgent(
        model=RecordingModel(calls(("unplug", "{}")), "here you are"),
        memory=Memory(await postgres.create("meanwhile")),
        tools=[unplug],
    )
    result = await agent.arun("go", session_id="s")
    await postgres.start()
    await agent.aclose()

    assert result.payload == "here you are"
    assert [error.code for error in result.errors] == ["MemoryUnavailable"]
    assert "will not be remembered" in log.text


async def test_an_answer_stands_though_its_memory_takes_longer_than_the_run_may(tmp_path: Path) -> None:
    agent = IsekAgent(model=RecordingModel("one", "two"), memory=Memory(f"sqlite:///{tmp_path}/memory.db"))
    await agent.arun("first", session_id="s")
    agent.limits = Limits(timeout_seconds=3)
    with closing(sqlite3.connect(tmp_path / "memory.db")) as somebody:
        somebody.execute("BEGIN IMMEDIATE")
        events = [event async for event in agent.stream("second", session_id="s")]
    await agent.aclose()

    assert isinstance(events[-1], RunEnded)
    result = events[-1].result
    assert result.payload == "two"
    assert [error.code for error in result.errors] == ["MemoryUnavailable"]


async def test_a_memory_that_hangs_does_not_hold_up_a_run_whose_time_is_over(postgres: PostgresServer) -> None:
    memory = Memory(await postgres.create("hanging"))
    agent = IsekAgent(model=RecordingModel("one"), memory=memory, limits=Limits(timeout_seconds=1))
    await memory.runs(session())

    async with postgres.locked("isek_sessions", "hanging"):
        result = await asyncio.wait_for(agent.arun("hi", session_id="s"), database.WORK_SECONDS - 2)
    await agent.aclose()

    assert [error.code for error in result.errors] == ["DeadlineExceeded", "MemoryUnavailable"]


async def test_an_empty_database_that_comes_back_gets_its_tables(postgres: PostgresServer) -> None:
    memory = Memory(await postgres.create("emptied"))
    await memory.record(session(), run(), said("hi"))
    await postgres.execute("DROP SCHEMA public CASCADE", "emptied")
    await postgres.execute("CREATE SCHEMA public", "emptied")

    with pytest.raises(MemoryUnavailable):
        await memory.record(session(), run(), said("lost"))
    await memory.record(session(), run(), said("kept"))

    assert list((await memory.recall(session(), RecordingModel())).messages) == said("kept")
    await memory.aclose()


async def test_a_url_that_does_not_work_is_told_without_its_password(postgres: PostgresServer) -> None:
    wrong = [
        postgres.url().replace("cr%2Fet", "cr%2FetX"),
        f"postgresql://isek:{PASSWORD}@127.0.0.1/m",  # special characters as they are
        postgres.url("nowhere"),
    ]
    for url in wrong:
        with pytest.raises(MemoryUnavailable) as failure:
            await Memory(url).runs(session())
        assert "cr" + "/et" not in str(failure.value) + failure.value.hint
        assert failure.value.__cause__ is None


async def test_a_password_that_changes_is_read_again(postgres: PostgresServer) -> None:
    await postgres.execute("CREATE ROLE app LOGIN PASSWORD 'old'")
    await postgres.execute("CREATE DATABASE rotated OWNER app")
    password = "old"

    async def read() -> str:
        return postgres.url("rotated").replace("isek:se%3Acr%2Fet", f"app:{password}")

    memory = Memory(read)
    await memory.record(session(), run(), said("hi"))
    password = "new"
    await postgres.execute("ALTER ROLE app PASSWORD 'new'")
    await postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")

    assert len(await memory.runs(session())) == 1
    await memory.aclose()


async def test_eight_that_start_at_the_same_time_bring_the_tables_up_to_date_once(postgres: PostgresServer) -> None:
    url = await postgres.create("eight")
    memories = [Memory(url) for _ in range(8)]

    await asyncio.gather(*(memory.runs(session()) for memory in memories))

    assert await postgres.execute("SELECT version_num FROM isek_memory_version", "eight") == [("0001",)]
    await asyncio.gather(*(memory.aclose() for memory in memories))


async def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/memory.db"
    memory = Memory(url)
    await memory.runs(session())
    await memory.aclose()
    with sqlite3.connect(tmp_path / "memory.db") as connection:
        connection.execute("UPDATE isek_memory_version SET version_num = '9999'")
    connection.close()

    late = Memory(url)
    with pytest.raises(MemoryUnavailable) as failure:
        await late.runs(session())
    await late.aclose()

    assert "newer version" in failure.value.hint


async def test_a_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(MemoryUnavailable) as failure:
        await Memory(f"sqlite:///{tmp_path}/no/such/folder/memory.db").runs(session())

    assert "unable to open database file" in failure.value.message


async def test_a_run_that_is_cut_off_while_it_writes_leaves_nothing_half_done(tmp_path: Path) -> None:
    memory = Memory(f"sqlite:///{tmp_path}/memory.db")
    for delay in range(20):
        writing = asyncio.create_task(memory.record(session(), run(), said("hi") * 10))
        for _ in range(delay * 3):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)

    await memory.record(session(), run(), said("hi") * 10)
    kept = await memory.recall(session(), RecordingModel())
    assert len(kept.messages) == 20 * len(await memory.runs(session()))
    await memory.aclose()


async def test_who_is_cancelled_in_the_middle_holds_up_nobody_and_is_kept_as_a_whole(tmp_path: Path) -> None:
    class Cancelling(list[Message]):
        """Ends the run that is being kept, between its beginning and its end."""

        def __iter__(self) -> Iterator[Message]:
            writing.cancel()
            return super().__iter__()

    memory = Memory(f"sqlite:///{tmp_path}/memory.db")
    await memory.runs(session())
    writing = asyncio.create_task(memory.record(session(), run(), Cancelling(said("hi"))))
    with pytest.raises(asyncio.CancelledError):
        await writing

    await memory.record(session("other"), run(), said("hi"))

    assert list((await memory.recall(session(), RecordingModel())).messages) == said("hi")
    await memory.aclose()


async def test_waiting_for_each_other_is_not_waiting_for_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WORK_SECONDS", 2)
    memory = Memory(f"sqlite:///{tmp_path}/memory.db")

    await asyncio.gather(*(memory.record(session(f"s{n}"), run(), said("hi")) for n in range(500)))

    assert len(await memory.sessions("helper", "ann")) == 500
    await memory.aclose()


async def test_a_database_that_does_not_answer_is_found_out_once_for_all_who_wait(
    monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer
) -> None:
    monkeypatch.setattr(database, "WORK_SECONDS", 1)
    url = await postgres.create("silent")
    memory = Memory(url)
    await memory.runs(session())
    begun = time.monotonic()
    async with postgres.locked("isek_sessions", "silent"):
        writing = (memory.record(session(f"s{n}"), run(), said("hi")) for n in range(300))
        ended = await asyncio.gather(*writing, return_exceptions=True)

    assert {getattr(each, "code", "") for each in ended} == {"MemoryUnavailable"}
    assert time.monotonic() - begun < 15
    await memory.aclose()


async def test_two_loops_may_use_one_memory_at_the_same_time(tmp_path: Path, postgres: PostgresServer) -> None:
    for url in (f"sqlite:///{tmp_path}/memory.db", await postgres.create("loops")):
        memory = Memory(url)

        async def keep(name: str, memory: Memory = memory) -> None:
            for number in range(10):
                await memory.record(session(name), run(), said(str(number)))

        await asyncio.gather(keep("here"), asyncio.to_thread(wait_for, keep("there")))

        assert [len(await memory.runs(session(name))) for name in ("here", "there")] == [10, 10]
        await memory.aclose()


@pytest.mark.parametrize("where", ["sqlite", "postgresql"])
async def test_a_session_goes_on_after_the_process_was_killed(
    where: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    url = f"sqlite:///{tmp_path}/memory.db" if where == "sqlite" else await postgres.create("killed")
    program = textwrap.dedent(
        """
        import sys
        from isek import EchoModel, IsekAgent, Memory
        agent = IsekAgent("helper", model=EchoModel(), memory=Memory(sys.argv[1]))
        number = 0
        while True:
            agent.run(f"message {number}", session_id="s")
            print(number, flush=True)
            number += 1
        """
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, url, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    answered = [await asyncio.wait_for(process.stdout.readline(), 60) for _ in range(5)]
    process.kill()
    rest = await process.stdout.read()
    await process.wait()
    last = int((answered[-1] + rest).split()[-1])

    model = RecordingModel("I do")
    agent = IsekAgent("helper", model=model, memory=Memory(url, max_tokens=10**6))
    await agent.arun("do you remember?", session_id="s")
    await agent.aclose()

    told = [message.content for message in model.conversations[0] if message.role == "user"]
    assert told[: last + 1] == [f"message {number}" for number in range(last + 1)]


def test_a_script_may_call_asyncio_run_as_often_as_it_likes(tmp_path: Path) -> None:
    model = RecordingModel("one", "two", "three")
    agent = IsekAgent(model=model, memory=Memory(f"sqlite:///{tmp_path}/memory.db"))
    with ThreadPoolExecutor() as threads:
        for message in ("a", "b"):
            threads.submit(asyncio.run, agent.arun(message, session_id="s")).result()
    agent.run("c", session_id="s")

    assert [message.content for message in model.conversations[-1]] == ["a", "one", "b", "two", "c"]
    wait_for(agent.aclose())
