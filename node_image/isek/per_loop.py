"""What belongs to the event loop that it was made on, such as connections."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Makes one for each loop that asks, so that what holds it can be used from all of them: in a script that calls
    ``run()`` here and ``arun()`` there, or ``asyncio.run()`` twice.

    Args:
        make: makes it.
        close: lets go of it: at ``aclose``, or when its loop ends.
    """

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]]) -> None:
        self._make = make
        self._close = close
        self._made: dict[asyncio.AbstractEventLoop, tuple[T, AsyncGenerator[T]]] = {}

    async def get(self) -> T:
        """That of the running loop."""
        loop = asyncio.get_running_loop()
        for other in list(self._made):
            if other.is_closed():
                self._made.pop(other, None)
        if loop not in self._made:
            holding = self._hold()
            self._made[loop] = (await anext(holding), holding)
        return self._made[loop][0]

    async def aclose(self) -> None:
        """Let go of all of them; the next ``get`` makes one anew.

        Those of other loops are let go by these: a loop closes the generators that nobody holds any longer.
        """
        mine = self._made.pop(asyncio.get_running_loop(), None)
        self._made.clear()
        if mine is not None:
            await mine[1].aclose()

    async def _hold(self) -> AsyncGenerator[T]:
        made = self._make()
        try:
            yield made
        finally:
            await self._close(made)
