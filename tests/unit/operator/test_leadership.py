"""Who is the active operator: one at a time, whatever happens to the calls."""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isek_operator.cluster.errors import ApiError, ConflictError, ForbiddenError, NotFoundError, UnreachableError
from isek_operator.cluster.lease import SeenLease, Tenure
from isek_operator.leadership import (
    DURATION_SECONDS,
    LOOK_SECONDS,
    RENEW_DEADLINE_SECONDS,
    Leadership,
    LeadershipDeniedError,
    LeadershipLostError,
)

T = TypeVar("T")

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class FakeTime:
    """A clock that goes on when the test says so, and wakes those who sleep in the order of their time."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def clock(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        awake = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.seconds + seconds, next(self._order), awake))
        await awake

    async def advance(self, seconds: float) -> None:
        end = self.seconds + seconds
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self.seconds, _, awake = heapq.heappop(self._sleepers)
            if not awake.done():
                awake.set_result(None)
            await _settle()
        self.seconds = end


async def _settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@dataclass
class Server:
    """The API server's one Lease, with its precondition on the resource version."""

    tenure: Tenure | None = None
    version: int = 0
    log: list[str] = field(default_factory=list)

    def seen(self) -> SeenLease:
        assert self.tenure is not None
        return SeenLease({"metadata": {"resourceVersion": str(self.version)}, "spec": self.tenure.spec()})

    def put(self, tenure: Tenure) -> SeenLease:
        if self.tenure is None or self.tenure.holder != tenure.holder:
            self.log.append(tenure.holder)
        self.tenure, self.version = tenure, self.version + 1
        return self.seen()


@dataclass
class Line:
    """One operator's connection to the server."""

    server: Server
    time: FakeTime
    failure: ApiError | None = None
    slowness: float = 0.0
    """Seconds between the server's doing and its answer."""
    reads: int = 0

    async def read(self) -> SeenLease | None:
        self.reads += 1
        return await self._carried(lambda: self.server.seen() if self.server.tenure else None)

    async def create(self, tenure: Tenure) -> SeenLease:
        def create() -> SeenLease:
            if self.server.tenure is not None:
                raise ConflictError("it is there")
            return self.server.put(tenure)

        return await self._carried(create)

    async def write(self, seen: SeenLease, tenure: Tenure) -> SeenLease:
        def write() -> SeenLease:
            if self.server.tenure is None:
                raise NotFoundError("it is gone")
            if seen.manifest["metadata"]["resourceVersion"] != str(self.server.version):
                raise ConflictError("it has changed")
            return self.server.put(tenure)

        return await self._carried(write)

    async def _carried(self, call: Callable[[], T]) -> T:
        if self.failure is not None:
            raise self.failure
        answer = call()
        if self.slowness:
            await self.time.sleep(self.slowness)
        return answer

    def __str__(self) -> str:
        return "Lease isek-system/isek-operator"


class Operator:
    """One that acquires, holds, and ends when it loses it."""

    def __init__(self, name: str, server: Server, time: FakeTime, *, skew: timedelta = timedelta()) -> None:
        self.line, self.time = Line(server, time), time
        self.leadership = Leadership(
            self.line,
            name,
            clock=time.clock,
            now=lambda: EPOCH + timedelta(seconds=time.seconds) + skew,
            sleep=time.sleep,
            uniform=lambda low, high: (low + high) / 2,
        )
        self.task = asyncio.create_task(self._live())

    async def _live(self) -> None:
        await self.leadership.acquire()
        await self.leadership.hold()

    async def killed(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def server() -> Server:
    return Server()


async def test_the_first_operator_makes_the_lease_and_is_active_at_once(time: FakeTime, server: Server) -> None:
    first = Operator("first", server, time)
    await time.advance(0)

    assert first.leadership.held
    assert server.tenure == Tenure("first", DURATION_SECONDS, EPOCH, EPOCH, 0)
    await first.killed()


async def test_renewing_keeps_when_it_was_acquired_and_reads_nothing(time: FakeTime, server: Server) -> None:
    first = Operator("first", server, time)
    await time.advance(60)

    assert first.leadership.held
    assert server.tenure is not None
    assert (server.tenure.acquired, server.tenure.transitions) == (EPOCH, 0)
    assert server.tenure.renewed == EPOCH + timedelta(seconds=60)
    assert first.line.reads == 1
    await first.killed()


async def test_a_second_operator_stands_by_for_as_long_as_the_first_renews(time: FakeTime, server: Server) -> None:
    first, second = Operator("first", server, time), Operator("second", server, time)
    await time.advance(600)

    assert (first.leadership.held, second.leadership.held) == (True, False)
    assert server.log == ["first"]
    await first.killed()
    await second.killed()


async def test_after_a_kill_the_other_takes_over_as_soon_as_the_lease_has_run_out(
    time: FakeTime, server: Server
) -> None:
    first, second = Operator("first", server, time), Operator("second", server, time)
    await time.advance(10.3)
    await first.killed()

    await time.advance(DURATION_SECONDS - 0.4)
    assert not second.leadership.held
    await time.advance(LOOK_SECONDS + 0.4)
    assert second.leadership.held
    assert server.tenure is not None
    assert server.tenure.transitions == 1
    await second.killed()


async def test_after_a_release_the_other_takes_over_with_its_next_look(time: FakeTime, server: Server) -> None:
    first, second = Operator("first", server, time), Operator("second", server, time)
    await time.advance(10.3)
    await first.killed()
    await first.leadership.release()
    assert not first.leadership.held

    await time.advance(LOOK_SECONDS)

    assert second.leadership.held
    assert server.log == ["first", "", "second"]
    await second.killed()


async def test_two_that_reach_for_a_free_lease_are_no_trouble_to_speak_of(
    time: FakeTime, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    both = [Operator(name, server, time) for name in ("first", "second")]
    for each in both:
        each.line.slowness = 0.1
    await time.advance(10)

    assert [each.leadership.held for each in both] == [True, False]
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "active: this operator, first, holds Lease isek-system/isek-operator"),
        ("INFO", "standing by: Lease isek-system/isek-operator is held by first"),
    ]
    for each in both:
        await each.killed()


async def test_clocks_that_are_hours_apart_change_nothing(time: FakeTime, server: Server) -> None:
    first = Operator("first", server, time, skew=timedelta(hours=-5))
    second = Operator("second", server, time, skew=timedelta(hours=5))
    await time.advance(60)
    assert (first.leadership.held, second.leadership.held) == (True, False)

    await first.killed()
    await time.advance(DURATION_SECONDS + LOOK_SECONDS)

    assert second.leadership.held
    await second.killed()


async def test_one_that_cannot_renew_gives_up_before_the_other_may_take_over(time: FakeTime, server: Server) -> None:
    first, second = Operator("first", server, time), Operator("second", server, time)
    await time.advance(10)
    first.line.failure = UnreachableError("connection refused")

    await time.advance(RENEW_DEADLINE_SECONDS)

    assert (first.leadership.held, second.leadership.held) == (False, False)
    with pytest.raises(LeadershipLostError, match=r"could not be renewed for 3 s: connection refused"):
        await first.task
    await time.advance(DURATION_SECONDS - RENEW_DEADLINE_SECONDS + LOOK_SECONDS)
    assert second.leadership.held
    await second.killed()


async def test_a_trouble_shorter_than_the_deadline_is_survived(time: FakeTime, server: Server) -> None:
    first = Operator("first", server, time)
    await time.advance(10)
    first.line.failure = UnreachableError("connection refused")
    await time.advance(RENEW_DEADLINE_SECONDS - 0.6)
    first.line.failure = None
    await time.advance(0.5)

    assert first.leadership.held
    await time.advance(60)
    assert first.leadership.held
    await first.killed()


async def test_one_whose_lease_is_taken_by_hand_ends_and_names_who_has_it(time: FakeTime, server: Server) -> None:
    first = Operator("first", server, time)
    await time.advance(10)
    assert server.tenure is not None
    server.put(replace(server.tenure, holder="thief"))

    await time.advance(2)

    assert not first.leadership.held
    with pytest.raises(LeadershipLostError, match="Lease isek-system/isek-operator was taken by thief"):
        await first.task
    assert server.tenure.holder == "thief"


async def test_a_lease_that_is_deleted_by_hand_is_made_again(time: FakeTime, server: Server) -> None:
    first = Operator("first", server, time)
    await time.advance(10)
    server.tenure = None
    server.version += 1

    await time.advance(2)

    assert first.leadership.held
    assert server.log == ["first", "first"]
    await first.killed()


async def test_a_lease_that_is_deleted_between_the_look_and_the_taking_is_made_again(
    time: FakeTime, server: Server
) -> None:
    server.put(Tenure("", 1, acquired=None, renewed=None, transitions=1))
    first = Operator("first", server, time)
    first.line.slowness = 0.5
    await time.advance(0.25)
    server.tenure = None
    server.version += 1

    await time.advance(3)

    assert first.leadership.held
    await first.killed()


async def test_nothing_is_released_that_is_not_held_any_more(time: FakeTime, server: Server) -> None:
    first = Operator("first", server, time)
    await time.advance(10)
    await first.killed()
    await time.advance(RENEW_DEADLINE_SECONDS)

    await first.leadership.release()

    assert server.tenure is not None
    assert server.tenure.holder == "first"


async def test_missing_rights_are_said_and_not_waited_for(time: FakeTime, server: Server) -> None:
    first = Operator("first", server, time)
    first.line.failure = ForbiddenError("leases.coordination.k8s.io is forbidden")
    await time.advance(1)

    with pytest.raises(LeadershipDeniedError, match=r"Lease .* cannot be used: leases.* is forbidden"):
        await first.task


TROUBLES = st.tuples(
    st.integers(0, 2), st.floats(0, 6), st.sampled_from(["down", "slow", "up"]), st.floats(0, 6, allow_subnormal=False)
)


@given(st.lists(TROUBLES, max_size=12))
@settings(max_examples=30, deadline=None)
def test_there_are_never_two_that_may_write(troubles: list[tuple[int, float, str, float]]) -> None:
    async def scenario() -> None:
        time, server = FakeTime(), Server()
        operators = [Operator(name, server, time) for name in ("first", "second", "third")]
        for number, pause, trouble, slowness in troubles:
            line = operators[number].line
            line.failure = UnreachableError("cut") if trouble == "down" else None
            line.slowness = slowness if trouble == "slow" else 0.0
            for _ in range(int(pause / 0.2)):
                await time.advance(0.2)
                assert sum(operator.leadership.held for operator in operators) <= 1
        for operator in operators:
            operator.task.cancel()
        await asyncio.gather(*(operator.task for operator in operators), return_exceptions=True)

    asyncio.run(scenario())
