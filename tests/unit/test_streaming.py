import asyncio
from contextlib import aclosing

from isek.asking import CallContext
from isek.events import TextDelta
from isek.streaming import AHEAD, events_of

from tests.support.asking import context


async def test_a_run_is_held_back_by_who_reads_slowly() -> None:
    told = 0

    async def talk(observed: CallContext) -> None:
        nonlocal told
        for _ in range(10 * AHEAD):
            observed.tell(TextDelta("talker", "a"))
            told += 1
            await observed.keep_pace()

    async with aclosing(events_of(talk, context())) as events:
        for read in range(1, 5 * AHEAD):
            await anext(events)
            await asyncio.sleep(0)
            assert told <= read + AHEAD
        assert len([event async for event in events]) == 10 * AHEAD - read


async def test_what_goes_on_without_its_reader_is_held_back_no_more() -> None:
    ended = False

    async def talk(observed: CallContext) -> None:
        nonlocal ended
        for _ in range(10 * AHEAD):
            observed.tell(TextDelta("talker", "a"))
            await observed.keep_pace()
        ended = True

    runs: list[asyncio.Task[None]] = []

    async def beside(observed: CallContext) -> None:
        runs.append(asyncio.create_task(talk(observed)))
        await asyncio.Event().wait()

    async with aclosing(events_of(beside, context())) as events:
        await anext(events)
        await asyncio.sleep(0)

    await asyncio.wait_for(runs[0], 10)
    assert ended


async def test_who_is_in_no_hurry_to_be_read_waits_for_nobody() -> None:
    await context().keep_pace()
