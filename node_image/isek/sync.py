"""Asynchronous work for synchronous programs."""

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_starting = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def wait_for(work: Coroutine[Any, Any, T], instead: str = "await the asynchronous form instead") -> T:
    """What ``work`` returns. All work runs on one loop in a thread of its own, so that connections outlive a call.

    Args:
        work: what is to be done.
        instead: how an asynchronous caller does it.

    Raises:
        RuntimeError: the caller is asynchronous itself.
    """
    try:
        synchronous_only(instead)
    except RuntimeError:
        work.close()
        raise
    future = asyncio.run_coroutine_threadsafe(work, background_loop())
    try:
        return future.result()
    except BaseException:  # Ctrl-C takes the work along
        future.cancel()
        raise


def synchronous_only(instead: str) -> None:
    """Refuse to block an event loop; the background loop would wait for itself.

    Raises:
        RuntimeError: the caller is asynchronous itself.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(f"an event loop runs here already: {instead}")


def background_loop() -> asyncio.AbstractEventLoop:
    """The loop, started when it is first needed. Its thread ends with the process."""
    global _loop  # noqa: PLW0603
    with _starting:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_run, args=[_loop], name="isek", daemon=True).start()
        return _loop


def on_background_loop() -> bool:
    """Whether the caller is a piece of work itself, which would wait for its own loop."""
    try:
        return asyncio.get_running_loop() is _loop
    except RuntimeError:
        return False


def _run(loop: asyncio.AbstractEventLoop) -> None:
    while True:
        try:
            loop.run_forever()
        except SystemExit:  # of a piece of work: whoever waits for that gets it, the others go on
            continue


def _forget() -> None:
    """A forked child has the loop, but no thread that runs it."""
    global _loop, _starting
    _loop, _starting = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
