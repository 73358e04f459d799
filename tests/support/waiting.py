"""Waiting on conditions, never on time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

POLL_SECONDS = 0.05


@overload
async def until(
    condition: Callable[[], Awaitable[T | None]],
    *,
    what: str,
    within: float = ...,
    retry_on: tuple[type[Exception], ...] = ...,
    poll: float = ...,
) -> T: ...


@overload
async def until(
    condition: Callable[[], T | None],
    *,
    what: str,
    within: float = ...,
    retry_on: tuple[type[Exception], ...] = ...,
    poll: float = ...,
) -> T: ...


async def until(
    condition: Callable[[], Any],
    *,
    what: str,
    within: float = 10,
    retry_on: tuple[type[Exception], ...] = (),
    poll: float = POLL_SECONDS,
) -> Any:
    """Wait until the condition is true, and return its (truthy) value.

    Args:
        condition: asked again and again; plain or async. ``AssertionError`` counts as "not yet".
        what: completes the sentence "waited 10 s until …" of the failure.
        within: seconds to wait at most.
        retry_on: further errors that count as "not yet".
        poll: seconds between two looks.

    Raises:
        AssertionError: the time is over; the message holds the last value or error.

    """
    start = time.monotonic()
    not_yet: tuple[type[Exception], ...] = (AssertionError, *retry_on)
    while True:
        try:
            seen = condition()
            if inspect.isawaitable(seen):
                seen = await seen
            if seen:
                return seen
        except not_yet as error:
            seen = error
        if time.monotonic() - start > within:
            raise AssertionError(f"waited {within:g} s until {what}; last seen: {seen!r}")
        await asyncio.sleep(poll)
