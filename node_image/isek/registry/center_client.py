"""The registry of a mesh in a center registry (``isek registry``), over HTTP."""

from collections.abc import AsyncGenerator, Callable
from typing import Annotated, TypeVar

import aiohttp
from aiohttp.http_exceptions import LineTooLong
from pydantic import BaseModel, Field
from typing_extensions import override

from isek.registry.center import HEARTBEAT_SECONDS
from isek.registry.registry import Registry
from isek.registry.store import (
    Changes,
    HistoryLostError,
    LeaseNotFoundError,
    Listing,
    Position,
    Store,
    StoreUnavailableError,
)

CALL_TIMEOUT = aiohttp.ClientTimeout(total=2)
WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=2, sock_read=3 * HEARTBEAT_SECONDS)
LINE_BYTES = 16 * 1024 * 1024

T = TypeVar("T")


class CenterRegistry(Registry):
    """Discovery through a center registry.

    Args:
        url: ``http://host:port``.
        mesh_id: the mesh's name in the registry.
        ttl_seconds: after so long the registry forgets a node that was killed.
    """

    def __init__(self, url: str, *, mesh_id: str = "default.default", ttl_seconds: int = 15) -> None:
        super().__init__(CenterClient(url), mesh_id=mesh_id, ttl_seconds=ttl_seconds)
        self.url = url.rstrip("/")


class _TakenError(Exception):
    """The key is there."""


class CenterClient(Store):
    """The store behind a center registry's HTTP API."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    @override
    async def grant(self, ttl_seconds: int) -> int:
        return self._read(read_lease, await self._call("POST", "/leases", {"ttl_seconds": str(ttl_seconds)}))

    @override
    async def keep_alive(self, lease: int) -> None:
        await self._call("POST", f"/leases/{lease}/keep-alive")

    @override
    async def revoke(self, lease: int) -> None:
        await self._call("DELETE", f"/leases/{lease}")

    @override
    async def put(self, key: str, value: bytes, lease: int) -> None:
        await self._call("PUT", "/keys", {"key": key, "lease": str(lease)}, value)

    @override
    async def create(self, key: str, value: bytes, lease: int) -> bool:
        try:
            await self._call("POST", "/keys", {"key": key, "lease": str(lease)}, value)
        except _TakenError:
            return False
        return True

    @override
    async def list(self, prefix: str) -> Listing:
        changes = self._read(read_changes, await self._call("GET", "/keys", {"prefix": prefix}))
        return Listing(changes.position, {key: value for key, value in changes.items if value is not None})

    @override
    async def watch(self, prefix: str, after: int) -> AsyncGenerator[Changes, None]:
        parameters = {"prefix": prefix, "after": str(after)}
        try:
            async with self._open().get(f"{self._url}/watch", params=parameters, timeout=WATCH_TIMEOUT) as answer:
                if answer.status == 410:
                    raise HistoryLostError(await answer.text())
                answer.raise_for_status()
                async for line in answer.content:
                    if line.strip():
                        yield self._read(read_changes, line)
        except (aiohttp.ClientError, LineTooLong, TimeoutError) as error:
            raise self._unavailable(error) from None
        raise StoreUnavailableError(f"the registry at {self._url} ended the watch")

    @override
    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _call(
        self, method: str, path: str, parameters: dict[str, str] | None = None, body: bytes | None = None
    ) -> bytes:
        request = self._open().request(method, self._url + path, params=parameters, data=body, timeout=CALL_TIMEOUT)
        try:
            async with request as answer:
                if answer.status == 404 and "LeaseNotFound" in (text := await answer.text()):
                    raise LeaseNotFoundError(text)
                if answer.status == 409:
                    raise _TakenError
                answer.raise_for_status()
                return await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unavailable(error) from None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:  # it belongs to the event loop that runs now
            self._session = aiohttp.ClientSession(read_bufsize=LINE_BYTES)
        return self._session

    def _read(self, read: Callable[[bytes], T], answer: bytes) -> T:
        try:
            return read(answer)
        except ValueError:
            start = answer[:100].decode(errors="replace")
            raise StoreUnavailableError(
                f"the registry at {self._url} answers in no form that is known: {start!r}"
            ) from None

    def _unavailable(self, error: Exception) -> StoreUnavailableError:
        return StoreUnavailableError(f"the registry at {self._url} does not answer: {error or type(error).__name__}")


class _Lease(BaseModel):
    lease: int


class _Changes(BaseModel):
    cluster_id: Annotated[int, Field(alias="clusterId")]
    revision: int
    items: Annotated[tuple[tuple[str, str | None], ...], Field(fail_fast=True)]
    missed: bool = False


def read_lease(answer: bytes) -> int:
    """The lease that a registry has given.

    Raises:
        ValueError: it says something else.
    """
    return _Lease.model_validate_json(answer).lease


def read_changes(line: bytes) -> Changes:
    """What a registry says of keys.

    Raises:
        ValueError: nothing that is known.
    """
    said = _Changes.model_validate_json(line)
    items = tuple((key, None if value is None else value.encode()) for key, value in said.items)
    return Changes(Position(said.cluster_id, said.revision), items, said.missed)
