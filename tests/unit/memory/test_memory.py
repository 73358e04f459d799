import subprocess
import sys
import tracemalloc

import pytest
from isek import Guardrails, Image, IsekAgent, LoopExit, Memory, Message, ModelReply
from isek.memory.memory import MAX_USER_MEMORIES
from isek.memory.records import Turn
from isek.memory.summary import budget, older, questions
from isek.models.base import ToolCall, Usage
from isek.models.errors import ModelRateLimited

from tests.support.memories import run, said, session
from tests.support.recording_model import RecordingModel, calls


def turn(number: int, tokens: int) -> Turn:
    """About so many tokens."""
    return Turn(number, (Message("user", "x" * 4 * (tokens - 4)),))


def test_what_fits_is_not_summed_up() -> None:
    assert older([turn(1, 50), turn(2, 50)], RecordingModel(), 100) == ()


def test_the_newest_turns_that_fit_into_half_stay_word_for_word() -> None:
    turns = [turn(1, 50), turn(2, 30), turn(3, 25), turn(4, 20)]

    assert older(turns, RecordingModel(), 100) == turns[:2]


def test_a_turn_is_summed_up_as_a_whole_or_not_at_all() -> None:
    called = ModelReply(tool_calls=(ToolCall("c", "look", "{}"),))
    whole = Turn(1, (Message("assistant", tool_calls=called.tool_calls), Message("tool", "x" * 4000, tool_call_id="c")))

    assert older([whole], RecordingModel(), 100) == [whole]


def test_nothing_is_left_out_of_what_the_model_sums_up() -> None:
    asked = "".join(questions([turn(1, 1000), turn(2, 10)], 100))

    assert asked.count("x") == 4 * (996 + 6)
    assert all(len(piece) <= 400 for piece in questions([turn(1, 1000)], 100))


def test_half_of_the_context_window_is_for_the_conversation() -> None:
    model = RecordingModel()
    assert budget(model, None) == 32_000
    model.context_window = 8_000
    assert budget(model, None) == 4_000
    assert budget(model, 100) == 100


async def test_a_long_conversation_goes_on_with_a_summary_and_its_newest_part() -> None:
    model = RecordingModel("a" * 800, "b" * 100, "Ann wants a and b.", "done")
    agent = IsekAgent(model=model, memory=Memory(max_tokens=240))
    await agent.arun("first", session_id="s")
    await agent.arun("second", session_id="s")

    result = await agent.arun("third", session_id="s")

    assert result.payload == "done"
    minutes, asked = model.conversations[2:]
    assert "first" in minutes[-1].content
    assert "What was said before: Ann wants a and b." in asked[0].content
    assert [message.content for message in asked[1:]] == ["second", "b" * 100, "third"]


async def test_the_tokens_of_a_summary_count() -> None:
    model = RecordingModel("a" * 375, ModelReply("minutes", usage=Usage(10, 5)), "ok")
    agent = IsekAgent(model=model, memory=Memory(max_tokens=100))
    await agent.arun("first", session_id="s")

    assert (await agent.arun("second", session_id="s")).total_tokens == 15


async def test_a_model_that_cannot_sum_up_now_is_told_all() -> None:
    class Busy(RecordingModel):
        async def invoke(self, messages, tools=(), *, output=None):  # type: ignore[no-untyped-def]
            if "minutes" in messages[0].content:
                raise ModelRateLimited("wait")
            return await super().invoke(messages, tools, output=output)

    model = Busy("a" * 4000, "ok")
    agent = IsekAgent(model=model, memory=Memory(max_tokens=100))
    await agent.arun("first", session_id="s")

    assert (await agent.arun("second", session_id="s")).payload == "ok"
    assert model.conversations[-1][0] == Message("user", "first")


async def test_an_empty_summary_wipes_nothing_out() -> None:
    model = RecordingModel("a" * 4000, " ", "ok")
    agent = IsekAgent(model=model, memory=Memory(max_tokens=100))
    await agent.arun("first", session_id="s")

    assert (await agent.arun("second", session_id="s")).payload == "ok"
    assert [message.content for message in model.conversations[-1]] == ["first", "a" * 4000, "second"]


async def test_what_a_guardrail_blocks_is_not_kept() -> None:
    memory = Memory()
    guardrails = Guardrails(blocked_patterns=(r"\d{16}",))
    agent = IsekAgent("helper", model=RecordingModel(), memory=memory, guardrails=guardrails)

    await agent.arun("my card is 4111111111111111", "ann", "s")

    assert [(each.asked, each.exit) for each in await memory.runs(session())] == [("", "guardrail_block")]


async def test_an_agent_remembers_facts_in_other_sessions_too_and_forgets_them() -> None:
    model = RecordingModel(
        calls(("remember", '{"fact": "likes tea"}')),
        "noted",
        calls(("forget", '{"fact": "Likes  Tea"}')),
        "gone",
        "who?",
    )
    agent = IsekAgent(model=model, memory=Memory(user_memories=True))

    await agent.arun("I like tea", "ann", "one")
    await agent.arun("no more", "ann", "two")
    await agent.arun("hi", "ann", "three")

    assert "- likes tea" in model.conversations[2][0].content
    assert model.conversations[3][-1].content == "forgotten"
    assert [message.content for message in model.conversations[4]] == ["hi"]


async def test_facts_about_one_user_are_not_told_to_another() -> None:
    model = RecordingModel("ok")
    memory = Memory(user_memories=True)
    await memory.add_user_memory("agent", "likes tea", "ann")

    await IsekAgent(model=model, memory=memory).arun("hi", "bob", "s")

    assert model.conversations == [[Message("user", "hi")]]


async def test_forgetting_what_is_not_known_tells_what_is() -> None:
    model = RecordingModel(calls(("forget", '{"fact": "x"}')), "ok")
    memory = Memory(user_memories=True)
    await memory.add_user_memory("agent", "likes tea")

    await IsekAgent(model=model, memory=memory).arun("hi", session_id="s")

    assert "there are: likes tea" in model.conversations[1][-1].content


async def test_an_agent_has_the_tools_only_with_user_memories() -> None:
    model = RecordingModel("ok")

    await IsekAgent(model=model, memory=Memory()).arun("hi", session_id="s")

    assert model.offered == []


async def test_a_user_has_at_most_a_hundred_facts() -> None:
    memory = Memory(user_memories=True)
    for number in range(MAX_USER_MEMORIES):
        await memory.add_user_memory("agent", str(number))

    with pytest.raises(ValueError, match="forget one first"):
        await memory.add_user_memory("agent", "one more")


async def test_failed_runs_are_kept_without_what_was_said() -> None:
    memory = Memory()
    agent = IsekAgent("helper", model=RecordingModel(calls(("x", "{}"))), memory=memory)
    agent.limits = type(agent.limits)(max_iterations=1)

    await agent.arun("hi", "ann", "s")

    kept = await memory.runs(session())
    assert [(each.asked, each.exit, each.error) for each in kept] == [
        ("hi", LoopExit.MAX_ITERS.value, "MaxIterationsReached")
    ]
    assert (await memory.recall(session(), agent.model)).messages == ()


async def test_a_process_forgets_the_sessions_that_were_not_used_for_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isek.memory.in_process.MAX_SESSIONS", 2)
    memory = Memory()
    for name in ("a", "b", "a", "c"):
        await memory.record(session(name), run(), said(name))

    assert [len(await memory.runs(session(name))) for name in ("a", "b", "c")] == [2, 0, 1]


async def test_a_process_forgets_the_sessions_that_there_is_no_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isek.memory.in_process.MAX_CHARACTERS", 20_000)
    memory = Memory()
    long_name = "d" * 9_000
    for name, text in (("a", "x" * 12_000), ("b", "x"), (long_name, "x")):
        await memory.record(session(name), run(), said(text))
    assert [len(await memory.runs(session(name))) for name in ("a", "b", long_name)] == [0, 1, 1]

    await memory.record(session("e"), run(), said("x" * 20_000))
    assert [len(await memory.runs(session(name))) for name in ("b", long_name, "e")] == [0, 0, 0]


async def test_a_process_keeps_the_newest_runs_and_the_users_it_has_learnt_of_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("isek.memory.in_process.MAX_RUNS", 2)
    monkeypatch.setattr("isek.memory.in_process.MAX_USERS", 2)
    memory = Memory()
    for asked in ("one", "two", "three"):
        await memory.record(session(), run(asked), [])
    for user in ("a", "b", "a", "c"):
        await memory.add_user_memory("helper", "likes tea", user)

    assert [each.asked for each in await memory.runs(session())] == ["two", "three"]
    assert [len(await memory.user_memories("helper", user)) for user in ("a", "b", "c")] == [1, 0, 1]


def test_pictures_count_towards_what_is_summed_up() -> None:
    shown = Message("user", "look", images=(Image("https://e.example/a.png"),))

    assert older([Turn(1, (shown,)), Turn(2, (shown,))], RecordingModel(), 1_500) == [
        Turn(1, (shown,)),
        Turn(2, (shown,)),
    ]


@pytest.mark.parametrize("url", ["mysql://localhost/db", "memory.db", "sqlite://", "sqlite:///"])
def test_a_url_of_no_known_database_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite:///<file>"):
        Memory(url)


def test_a_database_that_ends_with_its_connection_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Memory\(\)"):
        Memory("sqlite:///:memory:")
    with pytest.raises(TypeError, match="not 5"):
        Memory(5)  # type: ignore[arg-type]


def test_a_memory_takes_no_more_than_10_kib_when_it_is_made() -> None:
    Memory("postgresql://u:p@h/d")
    tracemalloc.start()
    try:
        kept = [Memory("postgresql://u:p@h/d", user_memories=True) for _ in range(10)]
        assert tracemalloc.get_traced_memory()[0] < 10 * 1024 * len(kept)
    finally:
        tracemalloc.stop()


def test_a_memory_is_made_without_its_database_packages() -> None:
    program = (
        "import sys; from isek import IsekAgent, Memory, EchoModel; IsekAgent(model=EchoModel(), memory=Memory('sqlite:///m'));"
        "print({'sqlalchemy', 'alembic', 'asyncpg', 'aiosqlite', 'pydantic'} & set(sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "set()\n"
    )
