"""Asking a member of a team again when it failed for a reason that may pass."""

import asyncio
from dataclasses import dataclass
from typing import Any

from isek.asking import CallContext
from isek.colleague import Colleague
from isek.errors import IsekError
from isek.log import log
from isek.models.base import Message


@dataclass(frozen=True)
class Retries:
    """How often a member is asked again, and after how long."""

    attempts: int = 3
    """Further tries; 0: none."""
    backoff_seconds: tuple[float, ...] = (2, 4, 8)
    """Pauses before them; the last one repeats."""

    def __post_init__(self) -> None:
        if self.attempts < 0:
            raise ValueError(f"Retries: attempts must be 0 or more, not {self.attempts}")

    def pause_before(self, attempt: int) -> float:
        """Seconds before the further try of that number, from 0."""
        return self.backoff_seconds[min(attempt, len(self.backoff_seconds) - 1)] if self.backoff_seconds else 0


async def ask_with_retries(member: Colleague, message: str | Message, context: CallContext, retries: Retries) -> Any:
    """The member's answer.

    Raises:
        IsekError: there is none; the last try's.
    """
    for attempt in range(retries.attempts + 1):
        try:
            return await member.ask(message, context)
        except IsekError as error:
            pause = retries.pause_before(attempt)
            last = attempt == retries.attempts or pause >= context.remaining_seconds()
            if last or not error.transient:
                raise
            log().info("member {}: {}; asked again in {:g} s", member.name, error, pause)
            await asyncio.sleep(pause)
    raise AssertionError("the last try returns or raises")
