"""Functions that block."""

import asyncio
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator

import pytest
from isek import IsekError, calling
from isek.calling import MAX_AT_ONCE, outcome

from tests.support.waiting import until


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    """What functions may wait for; it happens when the test is over."""
    event = threading.Event()
    yield event
    event.set()


async def given_up(hang: threading.Event) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await outcome(hang.wait)


async def test_functions_that_hang_hold_up_no_others(hang: threading.Event) -> None:
    await asyncio.gather(*(given_up(hang) for _ in range(MAX_AT_ONCE)))

    async with asyncio.timeout(20):
        assert await outcome(lambda: "quick") == "quick"


async def test_a_function_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch, hang: threading.Event) -> None:
    monkeypatch.setitem(calling._turns, asyncio.get_running_loop(), asyncio.Semaphore(1))
    waiting = [asyncio.create_task(outcome(each)) for each in (hang.wait, lambda: "next")]
    assert (await asyncio.wait(waiting, timeout=0.2))[0] == set()

    hang.set()

    assert await asyncio.gather(*waiting) == [True, "next"]


async def test_too_many_functions_that_hang_are_told(monkeypatch: pytest.MonkeyPatch, hang: threading.Event) -> None:
    await until(lambda: not any(thread.is_alive() for thread in calling._left), what="functions of other tests end")
    monkeypatch.setattr(calling, "MAX_LEFT", 1)
    await given_up(hang)

    with pytest.raises(IsekError, match="1 functions that took too long are still at work"):
        await outcome(lambda: "quick")

    hang.set()
    await until(lambda: not any(thread.is_alive() for thread in calling._left), what="the function ends")
    assert await outcome(lambda: "quick") == "quick"


async def test_what_a_function_raises_is_raised_even_if_futures_cannot_carry_it() -> None:
    with pytest.raises(RuntimeError, match=r"the function raised StopIteration\(\)"):
        await outcome(lambda: next(iter([])))


def test_a_function_that_hangs_does_not_hold_up_the_end_of_the_program() -> None:
    program = """
        import asyncio, time
        from isek.calling import outcome

        async def main() -> None:
            try:
                await asyncio.wait_for(outcome(time.sleep, 600), timeout=0.1)
            except TimeoutError:
                print("I gave up")

        asyncio.run(main())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, timeout=60, check=True)

    assert done.stdout == b"I gave up\n"
