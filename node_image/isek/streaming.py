"""A run as a stream of its events."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import replace
from typing import Any

from isek.asking import CallContext
from isek.cancelling import cancel
from isek.events import Event

AHEAD = 64
"""Events that a run may be ahead of its reader."""


async def events_of(
    respond: Callable[[CallContext], Coroutine[Any, Any, object]], context: CallContext
) -> AsyncGenerator[Event]:
    """What happens while a run responds; its ``RunEnded`` is the last. Whoever stops listening ends the run, and
    whoever is slow to listen holds it back.

    Events of those that it asks in this process come along, under their own names.
    """
    events: asyncio.Queue[Event | None] = asyncio.Queue()
    near = asyncio.Event()
    near.set()
    over = False

    def tell(event: Event) -> None:
        if over:
            return  # what goes on all the same, for another caller, tells and waits for this one no more
        events.put_nowait(event)
        if events.qsize() >= AHEAD:
            near.clear()

    async def reader() -> None:
        await near.wait()

    run = asyncio.create_task(respond(replace(context, on_event=tell, reader=reader)))
    run.add_done_callback(lambda _: events.put_nowait(None))
    try:
        while (event := await events.get()) is not None:
            if events.qsize() < AHEAD / 2:
                near.set()
            yield event
        run.result()
    finally:
        over = True
        near.set()
        await cancel(run)
