"""The work queue: one run per key at a time, coalescing, back-off."""

import asyncio
from collections.abc import Callable

from isek_operator.keys import Key
from isek_operator.metrics import Metrics
from isek_operator.queue import Done, Retry, WorkQueue

from tests.support.waiting import until

WRITER = Key("IsekAgent", "newsroom", "writer")
EDITOR = Key("IsekAgent", "newsroom", "editor")


class FakeTimer:
    def __init__(self, due: float) -> None:
        self.due, self.cancelled = due, False

    def cancel(self) -> None:
        self.cancelled = True

    def when(self) -> float:
        return self.due


class FakeTime:
    """A clock that stands still, and the timers that wait for it."""

    def __init__(self) -> None:
        self.timers: list[tuple[FakeTimer, Callable[[], None]]] = []

    def call_later(self, seconds: float, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(seconds)
        self.timers.append((timer, callback))
        return timer

    @property
    def delays(self) -> list[float]:
        return [timer.due for timer, _ in self.timers if not timer.cancelled]

    def fire(self) -> None:
        waiting, self.timers = self.timers, []
        for timer, callback in waiting:
            if not timer.cancelled:
                callback()


def queue_at(time: FakeTime, metrics: Metrics | None = None) -> WorkQueue:
    return WorkQueue(
        metrics or Metrics(), clock=lambda: 0.0, uniform=lambda low, high: (low + high) / 2, call_later=time.call_later
    )


async def test_a_key_is_worked_on_by_one_run_at_a_time_and_once_more_if_it_was_added_meanwhile() -> None:
    queue, runs, go_on = WorkQueue(Metrics()), [], asyncio.Event()

    async def handle(key: Key) -> Done:
        runs.append(key)
        await go_on.wait()
        return Done()

    queue.add(WRITER)
    queue.start(handle, workers=4)
    await until(lambda: len(runs) == 1, what="the first run has begun")
    for _ in range(3):
        queue.add(WRITER)
    queue.add(EDITOR)
    await until(lambda: EDITOR in runs, what="the other key is worked on")
    assert runs == [WRITER, EDITOR]

    go_on.set()
    await until(lambda: queue.idle, what="the queue is empty")
    assert runs == [WRITER, EDITOR, WRITER]
    await queue.stop(grace=1)


async def test_what_fails_comes_back_after_one_second_doubling_to_five_minutes() -> None:
    time = FakeTime()
    queue, delays = queue_at(time), []

    async def handle(_: Key) -> Retry:
        return Retry()

    queue.start(handle, workers=1)
    queue.add(WRITER)
    for _ in range(11):
        await until(lambda: time.delays, what="a retry is planned")
        delays += time.delays
        time.fire()
    assert delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    await queue.stop(grace=1)


async def test_a_success_forgets_the_failures_and_their_timer() -> None:
    time = FakeTime()
    results: list[Done | Retry] = [Retry(), Retry(), Done(), Retry()]
    queue = queue_at(time)

    async def handle(_: Key) -> Done | Retry:
        return results.pop(0)

    queue.start(handle, workers=1)
    queue.add(WRITER)
    await until(lambda: time.delays == [1], what="the first retry is planned")
    time.fire()
    await until(lambda: time.delays == [2], what="the second retry is planned")
    queue.add(WRITER)
    await until(lambda: not time.delays, what="the success has cancelled the retry")
    queue.add(WRITER)
    await until(lambda: time.delays == [1], what="the next failure begins anew")
    await queue.stop(grace=1)


async def test_the_server_may_ask_for_a_longer_wait_than_the_back_off() -> None:
    time = FakeTime()
    queue = queue_at(time)

    async def handle(_: Key) -> Retry:
        return Retry(at_least=17)

    queue.start(handle, workers=1)
    queue.add(WRITER)
    await until(lambda: time.delays == [17], what="the retry is planned for then")
    await queue.stop(grace=1)


async def test_of_two_times_to_look_again_the_earlier_counts() -> None:
    time = FakeTime()
    queue = queue_at(time)

    queue.add_after(WRITER, 30)
    queue.add_after(WRITER, 10)
    queue.add_after(WRITER, 20)

    assert time.delays == [10]


async def test_stopping_lets_a_run_end_and_begins_no_further_one() -> None:
    queue, ended = WorkQueue(Metrics()), []

    async def handle(key: Key) -> Done:
        await asyncio.sleep(0)
        ended.append(key)
        return Done()

    queue.start(handle, workers=1)
    queue.add(WRITER)
    queue.add(EDITOR)
    await asyncio.sleep(0)
    await queue.stop(grace=5)

    assert ended == [WRITER]


async def test_stopping_does_not_wait_longer_than_the_grace() -> None:
    queue, begun = WorkQueue(Metrics()), asyncio.Event()

    async def handle(_: Key) -> Done:
        begun.set()
        await asyncio.Event().wait()
        return Done()

    queue.start(handle, workers=1)
    queue.add(WRITER)
    await begun.wait()

    await asyncio.wait_for(queue.stop(grace=0.01), 5)


async def test_metrics_tell_depth_additions_and_retries() -> None:
    metrics, time = Metrics(), FakeTime()
    queue = queue_at(time, metrics)
    queue.add(WRITER)
    queue.add(WRITER)
    queue.add(EDITOR)
    value = metrics.registry.get_sample_value
    assert (value("workqueue_depth"), value("workqueue_adds_total")) == (2, 2)

    async def handle(_: Key) -> Retry:
        return Retry()

    queue.start(handle, workers=1)
    await until(lambda: len(time.delays) == 2, what="both have failed")
    assert (value("workqueue_depth"), value("workqueue_retries_total")) == (0, 2)
    assert value("workqueue_queue_duration_seconds_count") == 2
    await queue.stop(grace=1)


async def test_who_waits_for_a_server_that_does_not_answer_waits_no_longer_than_it_asks_for() -> None:
    time = FakeTime()
    queue, delays = queue_at(time), []

    async def handle(_: Key) -> Retry:
        return Retry(at_most=5)

    queue.start(handle, workers=1)
    queue.add(WRITER)
    for _ in range(5):
        await until(lambda: time.delays, what="a retry is planned")
        delays += time.delays
        time.fire()
    assert delays == [1, 2, 4, 5, 5]
    await queue.stop(grace=1)


async def test_runs_that_wait_for_nothing_leave_the_loop_to_others_in_between() -> None:
    queue, runs = WorkQueue(Metrics()), list[Key]()

    async def handle(key: Key) -> Done:
        runs.append(key)
        return Done()

    queue.add(WRITER)
    queue.add(EDITOR)
    queue.start(handle, workers=1)
    seen_by_others = set[int]()
    while len(runs) < 2:
        seen_by_others.add(len(runs))
        await asyncio.sleep(0)
    await queue.stop(grace=1)

    assert 1 in seen_by_others
