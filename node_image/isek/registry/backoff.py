"""Trying again: soon, then more and more rarely, and never all at the same moment."""

import asyncio
import random


class Backoff:
    """Waits that double from ``first`` to ``longest`` seconds, each shortened by chance to half at most."""

    def __init__(self, *, first: float = 0.1, longest: float = 2.0) -> None:
        self._first, self._longest = first, longest
        self._next = first

    def reset(self) -> None:
        """It worked: the next failure is a first one."""
        self._next = self._first

    async def wait(self) -> None:
        """Sleep until the next try."""
        seconds, self._next = self._next, min(self._next * 2, self._longest)
        await asyncio.sleep(seconds * random.uniform(0.5, 1))  # noqa: S311  (no secret)


def one_line(error: Exception) -> str:
    """What went wrong, for a log in which the reason for trying again takes one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
