"""A store within one process: under ``DefaultRegistry``, and behind the center registry's HTTP API."""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from itertools import islice

from typing_extensions import override

from isek.registry.store import Changes, HistoryLostError, LeaseNotFoundError, Listing, Position, Store

KEPT_CHANGES = 10_000
"""A watch that is further behind has to list again."""


@dataclass
class _Lease:
    ttl_seconds: int
    expiry: asyncio.TimerHandle
    keys: set[str] = field(default_factory=set)


class MemoryStore(Store):
    """Keys, leases and the last changes, in dictionaries of one event loop."""

    def __init__(self, kept_changes: int = KEPT_CHANGES) -> None:
        self._cluster_id = secrets.randbits(48)
        self._revision = 0
        self._items: dict[str, tuple[bytes, int]] = {}
        self._leases: dict[int, _Lease] = {}
        self._log: deque[tuple[int, str, bytes | None]] = deque(maxlen=kept_changes)
        self._changed = asyncio.Event()

    @override
    async def grant(self, ttl_seconds: int) -> int:
        lease = secrets.randbits(48)
        self._leases[lease] = _Lease(ttl_seconds, self._expire_later(lease, ttl_seconds))
        return lease

    @override
    async def keep_alive(self, lease: int) -> None:
        held = self._held(lease)
        held.expiry.cancel()
        held.expiry = self._expire_later(lease, held.ttl_seconds)

    @override
    async def revoke(self, lease: int) -> None:
        if lease in self._leases:
            self._end(lease)

    @override
    async def put(self, key: str, value: bytes, lease: int) -> None:
        held = self._held(lease)
        if key in self._items:
            former = self._leases[self._items[key][1]]
            former.keys.discard(key)
        held.keys.add(key)
        self._items[key] = (value, lease)
        self._append(key, value)

    @override
    async def create(self, key: str, value: bytes, lease: int) -> bool:
        if key not in self._items:
            await self.put(key, value, lease)
        return self._items[key][0] == value

    @override
    async def list(self, prefix: str) -> Listing:
        items = {key: value for key, (value, _) in self._items.items() if key.startswith(prefix)}
        return Listing(Position(self._cluster_id, self._revision), items)

    @override
    async def watch(self, prefix: str, after: int) -> AsyncGenerator[Changes, None]:
        self._require_history(after)
        begun_at = self._revision
        yield Changes(Position(self._cluster_id, after))
        while True:
            if after == self._revision:
                await self._changed.wait()
            self._require_history(after)
            count, missed, after = self._revision - after, after < begun_at, self._revision
            newest = islice(self._log, len(self._log) - count, None)
            items = tuple((key, value) for _, key, value in newest if key.startswith(prefix))
            if items:
                yield Changes(Position(self._cluster_id, after), items, missed)

    @override
    async def close(self) -> None:
        """Nothing: others of this process may use the store as well."""

    def _require_history(self, after: int) -> None:
        if not self._revision - len(self._log) <= after <= self._revision:
            raise HistoryLostError(f"what happened after revision {after} is not known")

    def _held(self, lease: int) -> _Lease:
        try:
            return self._leases[lease]
        except KeyError:
            raise LeaseNotFoundError(f"lease {lease} has run out") from None

    def _expire_later(self, lease: int, ttl_seconds: int) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(ttl_seconds, self._end, lease)

    def _end(self, lease: int) -> None:
        ended = self._leases.pop(lease)
        ended.expiry.cancel()
        for key in sorted(ended.keys):
            del self._items[key]
            self._append(key, None)

    def _append(self, key: str, value: bytes | None) -> None:
        self._revision += 1
        self._log.append((self._revision, key, value))
        self._changed.set()
        self._changed = asyncio.Event()
