"""A bounded line of messages, in which the more important ones overtake."""

import asyncio
import time
from collections import deque
from typing import Generic, TypeVar

from isek.topics.message import Priority

T = TypeVar("T")


class WaitingLine(Generic[T]):
    """First in, first out within a priority; a higher one always goes first.

    Each priority has room of its own: a flood of lesser messages cannot keep an urgent one out.

    Args:
        room: how many of one priority may wait.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._lines: dict[Priority, deque[T]] = {priority: deque() for priority in sorted(Priority, reverse=True)}
        self._changed = asyncio.Event()
        self._closed = False
        self._taken_at = time.monotonic()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def has_room(self, priority: Priority) -> bool:
        """Whether one more fits in."""
        return not self._is_full(self._lines[priority])

    async def room(self, priority: Priority) -> None:
        """Wait until one more fits in."""
        while not self.has_room(priority):
            await self._change()

    def put(self, item: T, priority: Priority) -> None:
        """Let it wait, also where there is no room: whoever may wait has asked before."""
        self._lines[priority].append(item)
        self._wake()

    def put_back(self, item: T, priority: Priority) -> None:
        """Let it wait again, before all others of its priority."""
        self._lines[priority].appendleft(item)
        self._wake()

    async def get(self) -> T | None:
        """The next one, once there is one; None: it is closed."""
        while not self._closed:
            found = self.take(1)
            if found:
                return found[0]
            await self._change()
        return None

    def take(self, most: int) -> list[T]:
        """The next ones, as many as there are, ``most`` at most."""
        taken: list[T] = []
        for line in self._lines.values():
            while line and len(taken) < most:
                taken.append(line.popleft())
        if taken:
            self._taken_at = time.monotonic()
            self._wake()
        return taken

    def stuck_for(self, seconds: float) -> bool:
        """Whether one priority is full, and nothing was taken for so long."""
        return any(map(self._is_full, self._lines.values())) and time.monotonic() - self._taken_at > seconds

    def _is_full(self, line: deque[T]) -> bool:
        return len(line) >= self._room

    def close(self) -> None:
        """Let nothing wait any more."""
        self._closed = True
        for line in self._lines.values():
            line.clear()
        self._wake()

    def _wake(self) -> None:
        self._changed.set()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
