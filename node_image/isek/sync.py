"""Asynchronous work for synchronous programs."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_starting = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` returns. All work runs on one loop in a thread of its own, so that connections outlive a call.

    Raises:
        RuntimeError: the caller is asynchronous itself.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        work.close()
        raise RuntimeError("an event loop runs here already: await the asynchronous form instead, such as agent.arun()")
    future = asyncio.run_coroutine_threadsafe(work, background_loop())
    try:
        return future.result()
    except BaseException:  # Ctrl-C takes the work along
        future.cancel()
        raise


def background_loop() -> asyncio.AbstractEventLoop:
    """The loop, started when it is first needed. Its thread ends with the process."""
    global _loop  # noqa: PLW0603
    with _starting:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="isek", daemon=True).start()
        return _loop
