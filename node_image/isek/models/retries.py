"""Asking an endpoint again, where that may help."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import openai

from isek.models.openai_errors import NO_QUOTA

PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 8.0
LONGEST_RETRY_AFTER_SECONDS = 60.0

T = TypeVar("T")


async def with_retries(ask: Callable[[], Awaitable[T]], *, timeout_seconds: float, max_retries: int) -> T:
    """What ``ask`` returns, which may take ``timeout_seconds`` each time.

    It is asked again after connection errors, timeouts and the statuses 408, 409, 429 and 5xx, with growing pauses or
    after what ``Retry-After`` asks for.

    Raises:
        TimeoutError: the last try took too long.
        openai.APIError: it failed otherwise.
    """
    for attempt in range(max_retries):
        try:
            async with asyncio.timeout(timeout_seconds):
                return await ask()
        except (openai.APIStatusError, openai.APIConnectionError) as error:
            if not _passes(error):
                raise
            pause = _pause(attempt, _headers(error))
        except TimeoutError:
            pause = _pause(attempt, {})
        await asyncio.sleep(pause)
    async with asyncio.timeout(timeout_seconds):
        return await ask()


def _passes(error: openai.APIError) -> bool:
    if not isinstance(error, openai.APIStatusError):
        return True
    return (error.status_code in {408, 409, 429} and error.code != NO_QUOTA) or error.status_code >= 500


def _pause(attempt: int, headers: Mapping[str, str]) -> float:
    """Seconds before the next try: what the provider asks for, else twice as many each time, shortened by chance."""
    try:
        asked = float(headers.get("retry-after", 0))
    except ValueError:  # a date
        asked = 0
    if 0 < asked <= LONGEST_RETRY_AFTER_SECONDS:
        return asked
    longest: float = min(PAUSE_SECONDS * 2**attempt, LONGEST_PAUSE_SECONDS)
    return longest * random.uniform(0.75, 1)  # noqa: S311  (no secret)


def _headers(error: Any) -> Mapping[str, str]:
    """What came with the error, of which LiteLLM makes a thing of its own."""
    told = getattr(error, "litellm_response_headers", None) or getattr(
        getattr(error, "response", None), "headers", None
    )
    return told or {}
