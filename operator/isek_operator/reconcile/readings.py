"""When objects that no watch tells of were read, by namespace and name: one read of each at a time."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass

MISSING_SECONDS = 30.0
"""How long something is believed to be missing."""
FOUND_SECONDS = 600.0
"""How long what was read is believed, where nothing else is said."""


@dataclass
class _Reading:
    lock: asyncio.Lock
    at: float = -math.inf


class Readings:
    """Reads again what has been believed for long enough."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._readings: dict[tuple[str, str], _Reading] = {}

    async def refresh(
        self, name: tuple[str, str], believed: Callable[[], float], read: Callable[[], Awaitable[None]]
    ) -> float:
        """Have ``read`` called if what is known has been believed for its seconds; seconds until that is so again."""
        reading = self._readings.setdefault(name, _Reading(asyncio.Lock()))
        async with reading.lock:  # whoever else names it waits: what is not known yet is not missing
            if self._clock() >= reading.at + believed():
                await read()
                reading.at = self._clock()
        return max(reading.at + believed() - self._clock(), 1.0)

    def forget_all_but(self, named: Set[tuple[str, str]]) -> None:
        """Keep nothing about others than these namespaces and names."""
        self._readings = {name: reading for name, reading in self._readings.items() if name in named}
