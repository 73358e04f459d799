"""Reads objects of others that resources name and that no watch tells of: Services in URLs, volume claims, code."""

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass

from isek_operator.cluster.client import Client
from isek_operator.cluster.errors import ForbiddenError
from isek_operator.keys import Key
from isek_operator.kinds import ApiKind
from isek_operator.store import Store

MISSING_SECONDS = 30.0
FOUND_SECONDS = 600.0
"""How long what was read is believed, where nothing else is said."""


@dataclass
class _Reading:
    lock: asyncio.Lock
    at: float = -math.inf


class NamedObjects:
    """Keeps the store's knowledge of other people's objects of one kind young enough: ``believed`` is in seconds."""

    def __init__(
        self,
        kind: ApiKind,
        client: Client,
        store: Store,
        *,
        believed: float = FOUND_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kind, self._client, self._store, self._clock = kind, client, store, clock
        self._believed = believed
        self._readings: dict[tuple[str, str], _Reading] = {}

    async def read(self, named: Iterable[tuple[str, str]]) -> float | None:
        """Read those that are not known, or not any more; seconds until one is to be read again."""
        return min([wait for each in sorted(named) if (wait := await self._read(each)) is not None], default=None)

    def forget_all_but(self, named: Set[tuple[str, str]]) -> None:
        """Keep nothing about objects other than those of these namespaces and names."""
        self._readings = {key: each for key, each in self._readings.items() if key in named}
        self._store.keep_read(self._kind.kind, named)

    async def _read(self, name: tuple[str, str]) -> float | None:
        key = Key(self._kind.kind, *name)
        if self._store.get(key) is not None:
            return None  # our own: watched
        reading = self._readings.setdefault(name, _Reading(asyncio.Lock()))
        async with reading.lock:  # whoever else names it waits: what is not known yet is not missing
            if self._clock() >= self._due_at(name, reading):
                try:
                    self._store.put_read(key, await self._client.get(self._kind, *name))
                except ForbiddenError:  # in a namespace that the operator does not work in
                    self._store.put_read(key, None)
                reading.at = self._clock()
        return max(self._due_at(name, reading) - self._clock(), 1.0)

    def _due_at(self, name: tuple[str, str], reading: _Reading) -> float:
        found = self._store.named(self._kind.kind, *name) is not None
        return reading.at + (self._believed if found else MISSING_SECONDS)
