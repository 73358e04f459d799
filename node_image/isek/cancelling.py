"""The end of a task that somebody else began."""

import asyncio
from typing import Any


async def cancel(task: "asyncio.Task[Any]") -> None:
    """Cancel a task and wait for its end. Unlike awaiting it, this lets one's own cancellation through.

    Raises:
        Exception: what the task ended with, if not by being cancelled.
    """
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
