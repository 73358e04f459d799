import asyncio
import math

import pytest
from a2a.types import Task, TaskState
from isek.asking import Answer, CallContext
from isek.events import TextDelta
from isek.models.base import Message
from isek.protocol.a2a_call import Call
from isek.protocol.a2a_run import Run, Update

DEADLINE_SECONDS = 30


def a_run(*pieces: str, answer: str | Exception, saved: list[Task]) -> Run:
    """Of an agent that says ``pieces``, and then answers, or fails."""

    async def ask(_: Message, context: CallContext) -> Answer:
        for piece in pieces:
            assert context.on_event is not None
            context.on_event(TextDelta("writer", piece))
        if isinstance(answer, Exception):
            raise answer
        return Answer(answer)

    async def save(task: Task) -> None:
        saved.append(task)

    call = Call("writer", "writer", ask, lambda: None, CallContext(deadline=math.inf))
    return Run(Task(id="1", context_id="c"), Message("user", "write"), call, save, told=True, traced=False)


async def all_of(run: Run) -> list[Update]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        return [update async for update in run.read(run.watch())]


@pytest.mark.parametrize("pieces", [(), ("half an emoji ", "\ud83d")])
async def test_an_answer_that_is_cut_off_within_an_emoji_is_told(pieces: tuple[str, ...]) -> None:
    saved: list[Task] = []
    run = a_run(*pieces, answer="half an emoji \ud83d", saved=saved)

    await all_of(run)

    assert [task.status.state for task in saved] == [TaskState.TASK_STATE_COMPLETED]
    assert saved[0].artifacts[0].parts[0].text == "half an emoji \ufffd"


async def test_an_emoji_that_comes_in_two_halves_is_whole_in_the_end() -> None:
    saved: list[Task] = []
    run = a_run("\ud83d", "\ude00", answer="\ud83d\ude00", saved=saved)

    told = await all_of(run)

    assert saved[0].artifacts[0].parts[0].text == "\U0001f600"
    assert any("\U0001f600" in str(update.artifact.parts[0].text) for update in told if hasattr(update, "append"))


async def test_a_task_fails_with_what_nobody_expected() -> None:
    saved: list[Task] = []
    run = a_run(answer=ZeroDivisionError("a secret"), saved=saved)

    await all_of(run)

    assert [task.status.state for task in saved] == [TaskState.TASK_STATE_FAILED]
    said = saved[0].status.message.parts[0].text
    assert "something unexpected happened" in said
    assert "secret" not in said
