"""Who works on a task, over every registry."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NoReturn, cast

import pytest
from isek.errors import CallError
from isek.registry.claims import Claims
from isek.registry.store import Store, StoreUnavailableError

from tests.integration.registry.conftest import Discovery
from tests.support.waiting import until

TTL_SECONDS = 5


@pytest.fixture
async def store(discovery: Discovery) -> AsyncIterator[Store]:
    store = discovery.open_store()
    yield store
    await store.close()


@pytest.fixture
async def others(discovery: Discovery) -> AsyncIterator[Claims]:
    store = discovery.open_store()
    yield Claims(store, discovery.mesh_id, TTL_SECONDS)
    await store.close()


async def test_a_task_is_worked_on_by_one_at_a_time_and_by_another_afterwards(
    discovery: Discovery, store: Store, others: Claims
) -> None:
    claims = Claims(store, discovery.mesh_id, TTL_SECONDS)
    go = asyncio.Event()
    working = asyncio.create_task(claims.hold("task", _after(go)))
    await until(lambda: others.taken("task"), what="it is claimed")

    with pytest.raises(CallError) as refused:
        await others.hold("task", _after(go))
    assert refused.value.code == "TaskClaimed"
    assert await others.hold("another", _at_once()) == "done"

    go.set()
    assert await working == "done"
    assert not await others.taken("task")
    assert await others.hold("task", _at_once()) == "done"


async def test_a_claim_lasts_as_long_as_its_task_and_ends_with_it(discovery: Discovery, store: Store) -> None:
    claims = Claims(store, discovery.mesh_id, TTL_SECONDS)
    go = asyncio.Event()
    working = asyncio.create_task(claims.hold("long", _after(go)))
    await until(lambda: claims.taken("long"), what="it is claimed")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(working), TTL_SECONDS + 2)
    assert await claims.taken("long")

    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert not await claims.taken("long")


async def test_who_cannot_renew_gives_the_task_up_before_anybody_else_may_take_it(
    discovery: Discovery, store: Store, others: Claims
) -> None:
    cut_off = _CutOff(store)
    claims = Claims(cast("Store", cut_off), discovery.mesh_id, TTL_SECONDS)
    ended = asyncio.Event()
    working = asyncio.create_task(claims.hold("task", _until_cancelled(ended)))
    await until(lambda: others.taken("task"), what="it is claimed")

    cut_off.connected = False

    async def free() -> bool:
        return not await others.taken("task")

    await until(free, what="the claim is nobody's", within=TTL_SECONDS + 5)
    assert ended.is_set()
    with pytest.raises(CallError) as lost:
        await working
    assert lost.value.code == "ClaimLost"


async def test_without_the_registry_nothing_is_begun(discovery: Discovery, store: Store) -> None:
    cut_off = _CutOff(store)
    cut_off.connected = False

    with pytest.raises(CallError) as refused:
        await Claims(cast("Store", cut_off), discovery.mesh_id, TTL_SECONDS).hold("task", _never())

    assert (refused.value.code, refused.value.retryable) == ("ClaimsUnavailable", True)


class _CutOff:
    """A store that stops to answer."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.connected = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name) if self.connected else self._unanswered

    async def _unanswered(self, *_: object) -> NoReturn:
        raise StoreUnavailableError("cut off")


async def _after(go: asyncio.Event) -> str:
    await go.wait()
    return "done"


async def _at_once() -> str:
    return "done"


async def _until_cancelled(ended: asyncio.Event) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.set()


async def _never() -> NoReturn:
    raise AssertionError("it was begun")
