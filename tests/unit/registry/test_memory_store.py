import pytest
from isek.registry.memory_store import MemoryStore
from isek.registry.store import HistoryLostError, LeaseNotFoundError


async def test_a_watch_that_is_too_far_behind_has_to_list_again() -> None:
    store = MemoryStore(kept_changes=2)
    lease = await store.grant(60)
    slow = store.watch("/", after=0)
    await anext(slow)
    for number in range(3):
        await store.put(f"/{number}", b"", lease)

    with pytest.raises(HistoryLostError):
        await anext(slow)
    with pytest.raises(HistoryLostError):
        await anext(store.watch("/", after=0))
    assert (await anext(store.watch("/", after=1))).position.revision == 1
    await store.revoke(lease)


async def test_a_watch_tells_what_happened_since_its_revision_in_order() -> None:
    store = MemoryStore()
    lease = await store.grant(60)
    await store.put("/a", b"1", lease)
    watch = store.watch("/", after=0)
    await anext(watch)
    await store.put("/a", b"2", lease)
    await store.put("/elsewhere"[1:], b"x", lease)
    await store.revoke(lease)

    assert (await anext(watch)).items == (("/a", b"1"), ("/a", b"2"), ("/a", None))


async def test_a_key_written_under_another_lease_lives_with_that_one() -> None:
    store = MemoryStore()
    old, new = await store.grant(60), await store.grant(60)
    await store.put("/a", b"old", old)
    await store.put("/a", b"new", new)

    await store.revoke(old)
    assert (await store.list("/")).items == {"/a": b"new"}

    await store.revoke(new)
    assert (await store.list("/")).items == {}


async def test_nothing_is_written_or_renewed_under_a_lease_that_is_gone() -> None:
    store = MemoryStore()
    lease = await store.grant(60)
    await store.revoke(lease)

    with pytest.raises(LeaseNotFoundError):
        await store.put("/a", b"", lease)
    with pytest.raises(LeaseNotFoundError):
        await store.keep_alive(lease)
    await store.revoke(lease)
