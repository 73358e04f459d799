"""Reads objects of others that resources name and that no watch tells of: Services in URLs, volume claims, code."""

import time
from collections.abc import Callable, Iterable, Set

from isek_operator.cluster.client import Client
from isek_operator.cluster.errors import ForbiddenError
from isek_operator.keys import Key
from isek_operator.kinds import ApiKind
from isek_operator.reconcile.readings import FOUND_SECONDS, MISSING_SECONDS, Readings
from isek_operator.store import Store


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
        self._kind, self._client, self._store = kind, client, store
        self._believed = believed
        self._readings = Readings(clock)

    async def read(self, named: Iterable[tuple[str, str]]) -> float | None:
        """Read those that are not known, or not any more; seconds until one is to be read again."""
        return min([wait for each in sorted(named) if (wait := await self._read(each)) is not None], default=None)

    def forget_all_but(self, named: Set[tuple[str, str]]) -> None:
        """Keep nothing about objects other than those of these namespaces and names."""
        self._readings.forget_all_but(named)
        self._store.keep_read(self._kind.kind, named)

    async def _read(self, name: tuple[str, str]) -> float | None:
        key = Key(self._kind.kind, *name)
        if self._store.get(key) is not None:
            return None  # our own: watched

        async def read() -> None:
            try:
                self._store.put_read(key, await self._client.get(self._kind, *name))
            except ForbiddenError:  # in a namespace that the operator does not work in
                self._store.put_read(key, None)

        def believed() -> float:
            found = self._store.named(self._kind.kind, *name) is not None
            return self._believed if found else MISSING_SECONDS

        return await self._readings.refresh(name, believed, read)
