"""Keeping one node registered for as long as it lives."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from isek.cancelling import cancel
from isek.log import log
from isek.registry.backoff import Backoff, one_line
from isek.registry.store import LeaseNotFoundError, Store, StoreUnavailableError

LEAVE_SECONDS = 3.0


class Record(Protocol):
    """What a node tells its mesh."""

    @property
    def node_id(self) -> str:
        """Who tells it."""
        ...

    def key(self, mesh_id: str) -> str:
        """Where it stands."""
        ...

    def encode(self) -> bytes:
        """What stands there."""
        ...


class Registration:
    """A node's record under a lease that is renewed three times within its time.

    Whatever is lost (the lease, the key, the whole store) is written again as soon as the store answers.
    """

    def __init__(
        self, store: Store, mesh_id: str, record: Record, ttl_seconds: int, on_lease_lost: Callable[[], None]
    ) -> None:
        self._store = store
        self._key = record.key(mesh_id)
        self._node_id = record.node_id
        self._value = record.encode()
        self._stands: bytes | None = None
        """What stands in the registry, as far as is known."""
        self._ttl_seconds = ttl_seconds
        self._lease: int | None = None
        self._renew_at = 0.0
        self._on_lease_lost = on_lease_lost
        self._wake = asyncio.Event()
        self._first_written = asyncio.Event()
        self._keeping = asyncio.create_task(self._keep(), name=f"registration of {record.node_id}")

    @property
    def key(self) -> str:
        """Where the record stands."""
        return self._key

    @property
    def registered(self) -> bool:
        """Whether the record stands in the registry, as far as is known."""
        return self._stands is not None

    def update(self, record: Record) -> None:
        """Tell this from now on; it stands at the same key. Does not wait for the store.

        Raises:
            RecordError: the record is too large; what stood there stands on.
        """
        value = record.encode()
        if value != self._value:
            self._value = value
            self._wake.set()

    async def established(self) -> None:
        """Wait until the record was written for the first time."""
        await self._first_written.wait()

    async def leave(self) -> None:
        """Be forgotten by the peers at once. A store that does not answer forgets the node when its lease runs out."""
        await cancel(self._keeping)
        lease, self._lease, self._stands = self._lease, None, None
        if lease is None:
            return
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._store.revoke(lease)
        except (StoreUnavailableError, TimeoutError) as error:
            log().warning("{} could not leave the registry, which forgets it later: {}", self._node_id, error)

    def missing(self) -> None:
        """The registry says that the key is not there (any more)."""
        if self._stands is not None:
            self._stands = None
            self._wake.set()

    async def _keep(self) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._grant_write_renew()
                backoff.reset()
                await self._woken(within=self._renew_at - time.monotonic())
            except LeaseNotFoundError:
                log().warning("{} was forgotten by the registry; it registers again", self._node_id)
                self._lease, self._stands = None, None
                self._on_lease_lost()
                await backoff.wait()
            except StoreUnavailableError as error:
                log().debug("{} is not kept registered: {}", self._node_id, error)
                await backoff.wait()
            except Exception as error:
                log().error("{}: registering failed unexpectedly: {}", self._node_id, one_line(error))
                await backoff.wait()

    async def _grant_write_renew(self) -> None:
        """Do what is due of these."""
        if self._lease is None:
            self._lease = await self._store.grant(self._ttl_seconds)
            self._renewed()
        while (value := self._value) is not self._stands:
            await self._store.put(self._key, value, self._lease)
            self._stands = value
            self._first_written.set()
        if time.monotonic() >= self._renew_at:
            await self._store.keep_alive(self._lease)
            self._renewed()

    def _renewed(self) -> None:
        self._renew_at = time.monotonic() + self._ttl_seconds / 3

    async def _woken(self, *, within: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._wake.wait()
        self._wake.clear()
