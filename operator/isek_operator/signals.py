"""What ends the operator, and what its event loop passes over."""

import asyncio
import signal
from typing import Any

import aiohttp


def end_on_signals() -> None:
    """Cancel the whole operator on SIGTERM and SIGINT.

    The first process of a container gets no default handling of signals; and Kopf's own, which it installs when it
    starts, waits five seconds for what its watches leave behind.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None  # noqa: S101
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    loop.set_exception_handler(_pass_over_strays)


def _pass_over_strays(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Pass over what Kopf leaves behind: generators of a watch that is cancelled while it hands over an event,
    requests that nobody waits for any more when their connection breaks, and what a closed connection still sends."""
    is_stray = isinstance(context.get("exception"), (aiohttp.ClientError, OSError)) or "protocol" in context
    if "asyncgen" not in context and not is_stray:
        loop.default_exception_handler(context)
