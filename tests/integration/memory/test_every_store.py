"""What every store of memories does, each with the real thing behind it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from isek import Memory
from isek.models.base import Image, Message, ToolCall

from tests.support.memories import run, said, session
from tests.support.postgres import PostgresServer
from tests.support.recording_model import RecordingModel

Reopen = Callable[[], Memory]


@pytest.fixture(params=["sqlite", "postgresql"])
async def reopen(request: pytest.FixtureRequest, tmp_path: Path, postgres: PostgresServer) -> AsyncIterator[Reopen]:
    """Opens the same database, each time as a process of its own would."""
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/memory.db" if sqlite else await postgres.create(f"m{secrets.token_hex(6)}")
    opened: list[Memory] = []

    def open_() -> Memory:
        opened.append(Memory(url, user_memories=True))
        return opened[-1]

    yield open_
    for memory in opened:
        await memory.aclose()


@pytest.fixture(params=["sqlite", "postgresql", "in-process"])
async def memory(request: pytest.FixtureRequest, tmp_path: Path, postgres: PostgresServer) -> AsyncIterator[Memory]:
    urls = {"sqlite": f"sqlite:///{tmp_path}/memory.db", "in-process": None}
    name = request.param
    url = urls[name] if name in urls else await postgres.create(f"m{secrets.token_hex(6)}")
    memory = Memory(url, user_memories=True)
    yield memory
    await memory.aclose()


async def recalled(memory: Memory, session_id: str = "s", user_id: str = "ann") -> list[str]:
    known = await memory.recall(session(session_id, user_id), RecordingModel())
    return [message.content for message in known.messages]


async def test_all_that_a_message_has_comes_back(memory: Memory) -> None:
    messages = [
        Message("user", "look", images=(Image("https://e.example/a.png"), Image(content=b"\x89PNG\0"))),
        Message("assistant", tool_calls=(ToolCall("c1", "see", '{"x": "ü"}'), ToolCall("c2", "see", "{}"))),
        Message("tool", "a \U0001f431", tool_call_id="c1"),
        Message("tool", "b", tool_call_id="c2"),
        Message("assistant", "a cat"),
    ]
    await memory.record(session(), run(), messages)

    assert (await memory.recall(session(), RecordingModel())).messages == tuple(messages)


async def test_sessions_runs_and_user_memories_survive_the_process(reopen: Reopen) -> None:
    first = reopen()
    await first.record(session(), run("hi"), said("hi"))
    await first.record(session(), run("again", "ModelTimeout"), [])
    await first.add_user_memory("helper", "likes tea", "ann")
    await first.aclose()

    second = reopen()

    known = await second.recall(session(), RecordingModel())
    assert known.facts == ("likes tea",)
    assert list(known.messages) == said("hi")
    assert await second.runs(session()) == [run("hi"), run("again", "ModelTimeout")]
    assert await second.sessions("helper", "ann") == [session()]


async def test_sessions_of_other_names_users_and_agents_are_others(memory: Memory) -> None:
    others = [session("s", "ann"), session("t", "ann"), session("s", "bob"), session("s", "ann", "other")]
    for number, each in enumerate(others):
        await memory.record(each, run(), said(str(number)))

    for number, each in enumerate(others):
        assert list((await memory.recall(each, RecordingModel())).messages) == said(str(number))


async def test_a_hundred_sessions_at_a_time_never_mix(memory: Memory) -> None:
    async def talk(name: str) -> None:
        for number in range(3):
            await memory.record(session(name), run(), said(f"{name}-{number}"))

    await asyncio.gather(*(talk(f"s{number}") for number in range(100)))

    for name in ("s0", "s42", "s99"):
        assert await recalled(memory, name) == [f"{name}-0", "ok", f"{name}-1", "ok", f"{name}-2", "ok"]


async def test_runs_of_one_session_at_a_time_stand_each_as_a_whole(memory: Memory) -> None:
    await asyncio.gather(*(memory.record(session(), run(), said(f"q{n}", f"a{n}")) for n in range(30)))

    told = await recalled(memory)

    pairs = list(zip(told[::2], told[1::2], strict=True))
    assert sorted(pairs) == sorted((f"q{n}", f"a{n}") for n in range(30))


async def test_runs_of_one_session_in_two_processes_stand_each_as_a_whole(reopen: Reopen) -> None:
    two = [reopen(), reopen()]  # both bring the tables up to date at the same time
    await asyncio.gather(*(two[n % 2].record(session(), run(), said(f"q{n}", f"a{n}")) for n in range(30)))

    told = await recalled(reopen())

    pairs = list(zip(told[::2], told[1::2], strict=True))
    assert sorted(pairs) == sorted((f"q{n}", f"a{n}") for n in range(30))


async def test_a_summary_takes_the_place_of_what_it_sums_up_and_only_once(reopen: Reopen) -> None:
    memory = reopen()
    for number in range(3):
        await memory.record(session(), run(), said(str(number) * 4000))
    short = RecordingModel("minutes, one", "minutes, two")
    short.context_window = 5000

    await asyncio.gather(*(memory.recall(session(), short) for _ in range(2)))

    known = await reopen().recall(session(), RecordingModel())
    assert known.summary in {"minutes, one", "minutes, two"}
    assert list(known.messages) == said("2" * 4000)


async def test_a_fact_is_kept_once_and_forgotten_by_its_id(memory: Memory) -> None:
    fact = await memory.add_user_memory("helper", "likes tea", "ann")
    assert await memory.add_user_memory("helper", "likes tea", "ann") == fact
    assert await memory.user_memories("helper", "bob") == []

    assert not await memory.remove_user_memory("helper", fact.id, "bob")
    assert await memory.remove_user_memory("helper", fact.id, "ann")
    assert await memory.user_memories("helper", "ann") == []


async def test_a_deleted_session_is_gone_with_its_runs(memory: Memory) -> None:
    await memory.record(session(), run(), said("hi"))
    await memory.record(session("t"), run(), said("ho"))

    await memory.delete_session(session())

    assert await recalled(memory) == []
    assert await memory.runs(session()) == []
    assert await recalled(memory, "t") == ["ho", "ok"]


async def test_text_that_no_database_takes_is_kept_as_far_as_it_can_be(reopen: Reopen) -> None:
    await reopen().record(session("x" * 5000), run("a\0b"), said("a\0b \ud83d"))

    assert await recalled(reopen(), "x" * 5000) == ["a\ufffdb ?", "ok"]


async def test_a_session_that_looks_like_sql_is_one(memory: Memory) -> None:
    name = "'; DROP TABLE isek_runs; --"
    await memory.record(session(name), run(), said("hi"))

    assert await recalled(memory, name) == ["hi", "ok"]
