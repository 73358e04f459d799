"""A run as a stream of its events."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import replace
from typing import Any

from isek.asking import CallContext
from isek.cancelling import cancel
from isek.events import Event


async def events_of(
    respond: Callable[[CallContext], Coroutine[Any, Any, object]], context: CallContext
) -> AsyncGenerator[Event]:
    """What happens while a run responds; its ``RunEnded`` is the last. Whoever stops listening ends the run.

    Events of those that it asks in this process come along, under their own names.
    """
    events: asyncio.Queue[Event | None] = asyncio.Queue()
    run = asyncio.create_task(respond(replace(context, on_event=events.put_nowait)))
    run.add_done_callback(lambda _: events.put_nowait(None))
    try:
        while (event := await events.get()) is not None:
            yield event
        run.result()
    finally:
        await cancel(run)
