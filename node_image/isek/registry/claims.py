"""Who works on a task: one node at a time, and none that its mesh takes for dead."""

import asyncio
import time
import uuid
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from isek.cancelling import cancel
from isek.errors import CallError
from isek.registry.backoff import Backoff
from isek.registry.record import PREFIX
from isek.registry.store import LeaseNotFoundError, Store, StoreUnavailableError

T = TypeVar("T")


class Claims:
    """Claims of the tasks of a mesh, each a key under a lease.

    A claim ends with its task. A node that cannot renew it gives the task up before the store lets go of the key:
    whoever claims the task then is the only one who works on it, whatever became of the other.

    Args:
        store: of the mesh's registry.
        mesh_id: the mesh's name in it.
        ttl_seconds: after which the claim of a node that was killed, or cut off, is nobody's.
    """

    def __init__(self, store: Store, mesh_id: str, ttl_seconds: int) -> None:
        self._store = store
        self._mesh_id = mesh_id
        self._ttl_seconds = ttl_seconds

    async def hold(self, task_id: str, work: Coroutine[Any, Any, T]) -> T:
        """What ``work`` returns, done under a claim of the task.

        Raises:
            CallError: ``TaskClaimed``: somebody works on it. ``ClaimsUnavailable``: the registry does not answer, and
                nothing was begun. ``ClaimLost``: the registry could not be told any more that it is worked on; the
                work was cut off.
        """
        working: asyncio.Task[T] | None = None
        begun = time.monotonic()
        try:
            lease = await self._claim(task_id)
            try:
                working = asyncio.create_task(work, name=f"task {task_id}")
                renewing = asyncio.create_task(self._renew(lease, begun), name=f"claim of {task_id}")
                try:
                    await asyncio.wait((working, renewing), return_when=asyncio.FIRST_COMPLETED)
                    if working.done():
                        return await working
                finally:
                    await cancel(renewing)
                    await _ended(working)
                raise CallError(
                    "ClaimLost",
                    f"task {task_id} was given up: the registry could not be told that it is worked on",
                    hint="ask again; see whether etcd answers",
                    status=503,
                )
            finally:
                with suppress(StoreUnavailableError):  # it runs out by itself
                    await self._store.revoke(lease)
        finally:
            if working is None:
                work.close()

    async def taken(self, task_id: str) -> bool:
        """Whether somebody works on a task, as far as the registry knows.

        Raises:
            StoreUnavailableError: it does not answer.
        """
        return bool((await self._store.list(f"{self._key(task_id)}/")).items)

    async def _claim(self, task_id: str) -> int:
        try:
            lease = await self._store.grant(self._ttl_seconds)
            claimed = await self._store.create(f"{self._key(task_id)}/", uuid.uuid4().hex.encode(), lease)
        except (StoreUnavailableError, LeaseNotFoundError) as error:
            raise CallError(
                "ClaimsUnavailable", f"task {task_id} cannot be claimed: {error}", status=503, retryable=True
            ) from None
        if claimed:
            return lease
        with suppress(StoreUnavailableError):
            await self._store.revoke(lease)
        raise CallError("TaskClaimed", f"somebody works on task {task_id} already", status=409)

    async def _renew(self, lease: int, renewed: float) -> None:
        """Return once the claim may be lost; a second before it is."""
        backoff = Backoff(longest=1.0)
        while True:
            await asyncio.sleep(self._ttl_seconds / 3)
            while True:
                now = time.monotonic()
                try:
                    async with asyncio.timeout(renewed + self._ttl_seconds - 1 - now):
                        await self._store.keep_alive(lease)
                        renewed = now
                        backoff.reset()
                        break
                except (LeaseNotFoundError, TimeoutError):
                    return
                except StoreUnavailableError:
                    if time.monotonic() > renewed + self._ttl_seconds - 2:
                        return
                    await backoff.wait()

    def _key(self, task_id: str) -> str:
        return f"{PREFIX}/{self._mesh_id}/claims/{task_id}"


async def _ended(task: "asyncio.Task[Any]") -> None:
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
