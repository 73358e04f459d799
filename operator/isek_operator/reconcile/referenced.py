"""Reads the Secrets that resources refer to and that no watch tells of."""

import time
from collections.abc import Callable, Iterable, Set

from isek_operator.cluster.client import Client
from isek_operator.decide.references import SecretKey
from isek_operator.keys import Key
from isek_operator.kinds import SECRET
from isek_operator.reconcile.readings import FOUND_SECONDS, MISSING_SECONDS, Readings
from isek_operator.store import Store


class ReferencedSecrets:
    """Keeps the store's knowledge of unwatched Secrets young enough."""

    def __init__(self, client: Client, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._store = client, store
        self._readings = Readings(clock)

    async def read(self, namespace: str, needed: Iterable[SecretKey]) -> float | None:
        """Read those that are not known, or not any more; seconds until what is missing may be looked for again."""
        by_name: dict[str, set[str]] = {}
        for each in needed:
            by_name.setdefault(each.name, set()).update([each.key] if each.key else [])
        waits = [await self._read(Key("Secret", namespace, name), keys) for name, keys in sorted(by_name.items())]
        return min((wait for wait in waits if wait is not None), default=None)

    def forget_all_but(self, referenced: Set[tuple[str, str]]) -> None:
        """Keep nothing about Secrets other than those of these namespaces and names."""
        self._readings.forget_all_but(referenced)
        self._store.keep_read_secrets(referenced)

    async def _read(self, key: Key, needed: set[str]) -> float | None:
        if self._store.get(key) is not None:
            return None  # watched

        async def read() -> None:
            found = await self._client.get(SECRET, key.namespace, key.name)
            self._store.put_read_secret(key.namespace, key.name, None if found is None else found.get("data") or {})

        def believed() -> float:
            return FOUND_SECONDS if self._complete(key, needed) else MISSING_SECONDS

        wait = await self._readings.refresh((key.namespace, key.name), believed, read)
        return None if self._complete(key, needed) else wait

    def _complete(self, key: Key, needed: set[str]) -> bool:
        known = self._store.secret(key.namespace, key.name)
        return known is not None and needed <= known.keys()
