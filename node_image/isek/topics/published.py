"""What became of a message that was published."""

import asyncio
from contextlib import suppress


class Published:
    """A message on its way to those who wanted it when it was published.

    Args:
        message_id: of the message.
        listeners: how many they are: subscriptions of programs, and agents.
    """

    def __init__(self, message_id: str, listeners: int) -> None:
        self.message_id = message_id
        self.listeners = listeners
        self.heard = 0
        """How many have it in their line by now."""
        self.refused = 0
        """How many listen, but take nothing from its sender; they are not among the listeners."""
        self._open = listeners
        self._settled = asyncio.Event()
        if not listeners:
            self._settled.set()

    def settle(self, *, heard: bool) -> None:
        """One of them has it, or is no more."""
        self._open -= 1
        self.heard += heard
        if self._open == 0:
            self._settled.set()

    def refuse(self) -> None:
        """One of them takes nothing from its sender."""
        self.refused += 1
        self.listeners -= 1
        self.settle(heard=False)

    async def settled(self) -> int:
        """Wait until each of them has it or is no more, and return how many have it."""
        await self._settled.wait()
        return self.heard

    async def settled_within(self, seconds: float) -> int:
        """As :meth:`settled`, but wait so long at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._settled.wait()
        return self.heard
