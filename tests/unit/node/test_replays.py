import asyncio
import time
from collections.abc import Callable

import pytest
from isek.asking import Answer, CallContext, IdempotencyKey
from isek.errors import CallError, IsekError, RunError
from isek.events import Event, TextDelta
from isek.node import replays
from isek.node.replays import Call, Replays, Run

from tests.support.waiting import until

ANN, TEA, COFFEE = Call("ann", "writer", "k1"), b"tea", b"coffee"


def a_call(
    seconds: float = 60,
    *,
    tried_seconds_ago: float | None = None,
    patient: bool = True,
    on_event: Callable[[Event], None] | None = None,
) -> CallContext:
    key = IdempotencyKey("k1", tried_seconds_ago, patient)
    return CallContext(deadline=time.monotonic() + seconds, idempotency_key=key, on_event=on_event)


class Counting:
    """Runs that are let go by the test, and counted."""

    def __init__(self, *outcomes: IsekError | str) -> None:
        self.outcomes = list(outcomes or ["done"])
        self.begun = 0
        self.cancelled = 0
        self.go_on = asyncio.Event()
        self.contexts: list[CallContext] = []

    async def __call__(self, context: CallContext) -> Answer:
        self.begun += 1
        self.contexts.append(context)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(outcome, IsekError):
            raise outcome
        return Answer(outcome)

    def ready(self) -> "Counting":
        self.go_on.set()
        return self


async def begun(run: Counting) -> None:
    await until(lambda: run.begun, what="it runs", poll=0)


async def code_of(table: Replays, call: Call, asked: bytes, run: Run, context: CallContext) -> str:
    with pytest.raises(IsekError) as caught:
        await table.once(call, asked, run, context)
    return caught.value.code


async def test_a_replay_waits_for_the_run_there_is() -> None:
    table, run = Replays(), Counting()

    told = [asyncio.create_task(table.once(ANN, TEA, run, a_call())) for _ in range(3)]
    await begun(run)
    run.ready()

    assert {answer.text for answer in await asyncio.gather(*told)} == {"done"}
    assert run.begun == 1


async def test_a_replay_after_the_end_is_answered_from_memory() -> None:
    table, run = Replays(), Counting("first", "second").ready()

    answers = [await table.once(ANN, TEA, run, a_call()) for _ in range(3)]

    assert [answer.text for answer in answers] == ["first"] * 3
    assert run.begun == 1


async def test_the_same_key_for_another_question_is_refused() -> None:
    table, run = Replays(), Counting().ready()
    await table.once(ANN, TEA, run, a_call())

    assert await code_of(table, ANN, COFFEE, run, a_call()) == "IdempotencyKeyReused"
    assert run.begun == 1


@pytest.mark.parametrize(
    "other", [Call("bob", "writer", "k1"), Call("ann", "editor", "k1"), Call("ann", "writer", "2")]
)
async def test_callers_agents_and_keys_are_kept_apart(other: Call) -> None:
    table, run = Replays(), Counting("first", "second").ready()
    await table.once(ANN, TEA, run, a_call())

    assert (await table.once(other, TEA, run, a_call())).text == "second"


async def test_an_error_of_a_run_is_remembered() -> None:
    table, run = Replays(), Counting(RunError("ModelError", "no"), "second").ready()

    codes = [await code_of(table, ANN, TEA, run, a_call()) for _ in range(2)]

    assert codes == ["ModelError"] * 2
    assert run.begun == 1


@pytest.mark.parametrize(
    "refusal", [CallError("TooManyTasks", "busy", retryable=True), RunError("ModelUnavailable", "away")]
)
async def test_where_nothing_has_happened_the_call_may_be_told_again(refusal: IsekError) -> None:
    table, run = Replays(), Counting(refusal, "second").ready()

    assert await code_of(table, ANN, TEA, run, a_call()) == refusal.code
    assert (await table.once(ANN, TEA, run, a_call())).text == "second"


async def test_a_refused_replay_keeps_the_first_request_from_running_late() -> None:
    table, run = Replays(lambda: 100.0), Counting(CallError("TooManyTasks", "busy", retryable=True), "late").ready()

    assert await code_of(table, ANN, TEA, run, a_call(tried_seconds_ago=0)) == "TooManyTasks"
    assert await code_of(table, ANN, TEA, run, a_call()) == "TooManyTasks"


async def test_a_run_goes_on_for_a_replay_when_its_caller_is_cut_off() -> None:
    table, run = Replays(), Counting()
    told = asyncio.create_task(table.once(ANN, TEA, run, a_call()))
    await begun(run)
    told.cancel()
    await asyncio.gather(told, return_exceptions=True)

    again = asyncio.create_task(table.once(ANN, TEA, run, a_call()))
    run.ready()

    assert (await again).text == "done"
    assert (run.begun, run.cancelled) == (1, 0)


async def test_a_run_ends_when_no_replay_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "PATIENCE_SECONDS", 0.01)
    table, run = Replays(), Counting()
    told = asyncio.create_task(table.once(ANN, TEA, run, a_call()))
    await begun(run)
    told.cancel()

    await until(lambda: run.cancelled, what="it is cancelled", poll=0.01)
    assert await code_of(table, ANN, TEA, run, a_call()) == "CallCancelled"
    assert run.begun == 1


async def test_a_run_that_is_given_up_ends_at_once_and_never_begins_again() -> None:
    table, run = Replays(), Counting()
    told = asyncio.create_task(code_of(table, ANN, TEA, run, a_call()))
    await begun(run)

    table.give_up(Call("bob", "writer", "k1"))  # not his
    table.give_up(ANN)

    assert await told == "CallCancelled"
    assert await code_of(table, ANN, TEA, run, a_call()) == "CallCancelled"
    assert (run.begun, run.cancelled) == (1, 1)


async def test_without_patience_a_run_ends_with_its_last_caller() -> None:
    table, run = Replays(), Counting()
    told = [asyncio.create_task(table.once(ANN, TEA, run, a_call(patient=False))) for _ in range(2)]
    await begun(run)

    told[0].cancel()
    await asyncio.gather(told[0], return_exceptions=True)
    assert run.cancelled == 0
    told[1].cancel()
    await asyncio.gather(told[1], return_exceptions=True)
    await until(lambda: run.cancelled, what="it is cancelled", poll=0)


async def test_a_replay_waits_no_longer_than_it_has_time() -> None:
    table, run = Replays(), Counting()
    told = asyncio.create_task(table.once(ANN, TEA, run, a_call()))
    await begun(run)

    assert await code_of(table, ANN, TEA, run, a_call(0.01)) == "DeadlineExceeded"
    run.ready()
    assert (await told).text == "done"


async def test_who_has_left_is_told_of_no_more_steps() -> None:
    table, run, heard = Replays(), Counting(), list[Event]()
    told = asyncio.create_task(table.once(ANN, TEA, run, a_call(on_event=heard.append)))
    await begun(run)
    [observed] = run.contexts

    observed.tell(TextDelta("writer", "a"))
    told.cancel()
    await asyncio.gather(told, return_exceptions=True)
    observed.tell(TextDelta("writer", "b"))

    assert heard == [TextDelta("writer", "a")]
    await table.aclose()
    assert run.cancelled == 1


async def test_who_does_not_listen_has_no_one_listen() -> None:
    table, run = Replays(), Counting().ready()

    await table.once(ANN, TEA, run, a_call())

    assert run.contexts[0].on_event is None


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def test_a_call_told_before_the_node_began_is_not_run() -> None:
    clock = Clock()
    table, run = Replays(clock), Counting().ready()
    clock.now += 5

    assert await code_of(table, ANN, TEA, run, a_call(tried_seconds_ago=6)) == "DeliveryUnknown"
    assert (await table.once(ANN, TEA, run, a_call(tried_seconds_ago=4))).text == "done"


async def test_what_is_old_is_forgotten_and_what_was_told_then_not_run() -> None:
    clock = Clock()
    table, run = Replays(clock), Counting("first", "second").ready()
    await table.once(ANN, TEA, run, a_call())
    clock.now += replays.REMEMBERED_SECONDS + 1

    assert await code_of(table, ANN, TEA, run, a_call(tried_seconds_ago=replays.REMEMBERED_SECONDS + 2)) == (
        "DeliveryUnknown"
    )
    assert (await table.once(ANN, TEA, run, a_call())).text == "second"


async def test_no_more_than_so_many_and_so_large_outcomes_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "REMEMBERED", 3)
    clock = Clock()
    table = Replays(clock)

    async def told(key: int, run: Counting) -> str:
        clock.now += 1
        return (await table.once(Call("ann", "writer", str(key)), TEA, run, a_call())).text

    for key in range(5):
        await told(key, Counting("first").ready())
    assert await told(2, Counting("second").ready()) == "first"
    assert await told(1, Counting("second").ready()) == "second"

    monkeypatch.setattr(replays, "REMEMBERED_BYTES", 10_000)
    await told(9, Counting("x" * 20_000).ready())
    assert await told(9, Counting("second").ready()) == "second"
