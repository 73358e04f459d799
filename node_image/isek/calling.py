"""Functions of others, asynchronous or not."""

import asyncio
import contextvars
import functools
import inspect
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any
from weakref import WeakKeyDictionary

from isek.errors import RunError

MAX_AT_ONCE = 64
"""Functions in threads that an event loop waits for; the next ones wait for their turn."""
MAX_LEFT = 200
"""Functions in threads that go on though nobody waits for them any more: Python cannot stop them."""

Readable = str | Callable[[], str | Awaitable[str]]
"""A text, or what reads it when it is needed, such as a file with a secret."""

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_left: set[threading.Thread] = set()


async def outcome(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """What a function returns. One that is not asynchronous runs in a thread of its own, so that it holds up neither
    others nor, when it hangs, the end of the program.

    Raises:
        RunError: ``TooManyThreads``: too many that were given up are still at work.
    """
    if inspect.iscoroutinefunction(routine(function)):
        return await function(*args, **kwargs)
    returned = await _in_thread(functools.partial(function, *args, **kwargs))
    return await returned if inspect.isawaitable(returned) else returned


async def read_now(text: Readable) -> str:
    """The text."""
    return text if isinstance(text, str) else str(await outcome(text))


def routine(function: Callable[..., Any]) -> Callable[..., Any]:
    """Where the hints and the docstring are: of an object with ``__call__``, that method."""
    if isinstance(function, functools.partial):
        return routine(function.func)
    if inspect.isroutine(function) or inspect.isclass(function):
        return function
    return type(function).__call__


async def _in_thread(work: Callable[[], Any]) -> Any:
    _left.difference_update([thread for thread in tuple(_left) if not thread.is_alive()])
    if len(_left) >= MAX_LEFT:
        raise RunError(
            "TooManyThreads",
            f"{MAX_LEFT} functions that took too long are still at work",
            hint="let them end by themselves, such as by timeouts of what they wait for",
        )
    said: Future[Any] = Future()
    said.set_running_or_notify_cancel()
    thread = threading.Thread(
        target=contextvars.copy_context().run, args=[_answer, said, work], name="isek function", daemon=True
    )
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(MAX_AT_ONCE)):
        thread.start()
        try:
            return await asyncio.wrap_future(said)
        except asyncio.CancelledError:
            _left.add(thread)
            raise


def _answer(said: "Future[Any]", work: Callable[[], Any]) -> None:
    try:
        said.set_result(work())
    except StopIteration as error:  # asyncio would let whoever waits for it wait for ever
        said.set_exception(RuntimeError(f"the function raised {error!r}"))
    except BaseException as error:
        said.set_exception(error)
