"""What holds for every registry: in process, center, etcd."""

import asyncio
import time

import pytest
from isek.registry.record import NodeRecord, RecordError, nodes_prefix
from isek.registry.store import LeaseNotFoundError

from tests.integration.registry.conftest import Discovery
from tests.integration.registry.records import node

SOON = 0.5
"""Seconds within which peers know of each other's coming and going."""


async def test_a_node_that_comes_is_known_to_its_peers_at_once(discovery: Discovery) -> None:
    async with discovery.open() as far, discovery.open() as near:
        await near.register(node("first", "writer"))

        assert await far.wait_for(lambda: far.find("writer.newsroom"), SOON) == (node("first", "writer"),)
        assert far.addresses() == ["writer.newsroom"]


async def test_a_node_that_has_registered_knows_its_peers(discovery: Discovery) -> None:
    async with discovery.open() as far, discovery.open() as near:
        await far.register(node("first", "writer"))
        await near.register(node("second", "researcher"))

        assert set(near.peers()) == {node("first", "writer"), node("second", "researcher")}


async def test_a_node_that_leaves_is_forgotten_at_once(discovery: Discovery) -> None:
    async with discovery.open() as far, discovery.open() as near:
        registration = await near.register(node("first", "writer"))
        await far.wait_for(lambda: far.find("writer.newsroom"), SOON)

        await registration.leave()

        assert await far.wait_for(lambda: not far.peers(), SOON)
        assert far.find("writer.newsroom") == ()
        assert not registration.registered


async def test_closing_the_registry_takes_its_nodes_out(discovery: Discovery) -> None:
    async with discovery.open() as far:
        async with discovery.open() as near:
            await near.register(node("first", "writer"))
            await far.wait_for(far.peers, SOON)

        assert await far.wait_for(lambda: not far.peers(), SOON)


async def test_replicas_of_an_agent_are_all_found(discovery: Discovery) -> None:
    async with discovery.open() as far, discovery.open() as near:
        for name in ("first", "second", "third"):
            await near.register(node(name, "writer"))

        await far.wait_for(lambda: len(far.peers()) == 3, SOON)

        assert {record.node_id for record in far.find("writer.newsroom")} == {
            "first.newsroom",
            "second.newsroom",
            "third.newsroom",
        }


async def test_a_node_that_stops_renewing_is_forgotten_within_its_time_and_a_second(discovery: Discovery) -> None:
    store = discovery.open_store()
    async with discovery.open() as far:
        lease = await store.grant(discovery.ttl_seconds)
        record = node("killed", "writer")
        await store.put(record.key(discovery.mesh_id), record.encode(), lease)
        died = time.monotonic()
        await far.wait_for(far.peers, SOON)

        assert await far.wait_for(lambda: not far.peers(), discovery.ttl_seconds + 2)
        assert time.monotonic() - died < discovery.ttl_seconds + 1
    await store.close()


async def test_a_living_node_stays_known_and_writes_nothing(discovery: Discovery) -> None:
    store = discovery.open_store()
    async with discovery.open() as far, discovery.open() as near:
        await near.register(node("first", "writer"))
        await far.wait_for(far.peers, SOON)
        before = await store.list(nodes_prefix(discovery.mesh_id))

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(far.changed(), 2 * discovery.ttl_seconds)

        assert (await store.list(nodes_prefix(discovery.mesh_id))).position == before.position
        assert far.peers() == (node("first", "writer"),)
    await store.close()


async def test_a_record_that_somebody_deletes_comes_back(discovery: Discovery) -> None:
    store = discovery.open_store()
    record = node("first", "writer")
    async with discovery.open() as far, discovery.open() as near:
        await near.register(record)
        await far.wait_for(far.peers, SOON)
        lease = await store.grant(discovery.ttl_seconds)
        await store.put(record.key(discovery.mesh_id), node("first", "impostor").encode(), lease)
        await far.wait_for(lambda: far.find("impostor.newsroom"), SOON)

        await store.revoke(lease)

        assert await far.wait_for(lambda: far.find("writer.newsroom"), SOON)
    await store.close()


async def test_records_that_cannot_be_believed_are_passed_over(discovery: Discovery) -> None:
    store = discovery.open_store()
    prefix = nodes_prefix(discovery.mesh_id)
    lease = await store.grant(discovery.ttl_seconds)
    await store.put(f"{prefix}newsroom/broken", b"no JSON", lease)
    await store.put(f"{prefix}newsroom/liar", node("liar", "writer", namespace="elsewhere").encode(), lease)
    async with discovery.open() as far, discovery.open() as near:
        await near.register(node("honest", "writer"))
        await store.put(f"{prefix}newsroom/late", b"{}", lease)
        await near.register(node("last", "editor"))

        await far.wait_for(lambda: far.find("editor.newsroom"), SOON)

        assert {record.node_id for record in far.peers()} == {"honest.newsroom", "last.newsroom"}
    await store.revoke(lease)
    await store.close()


async def test_what_a_node_says_anew_its_peers_know_at_once_and_know_again_when_the_record_was_lost(
    discovery: Discovery,
) -> None:
    store = discovery.open_store()
    async with discovery.open() as far, discovery.open() as near:
        registration = await near.register(node("first", "writer"))

        registration.update(node("first", "editor"))

        assert await far.wait_for(lambda: far.find("editor.newsroom"), SOON)
        assert far.find("writer.newsroom") == ()
        lease = await store.grant(discovery.ttl_seconds)
        await store.put(registration.key, node("first", "impostor").encode(), lease)
        await store.revoke(lease)
        assert await far.wait_for(lambda: far.find("editor.newsroom"), SOON + 2)
    await store.close()


async def test_an_update_that_is_too_large_is_refused_and_what_stood_there_stands(discovery: Discovery) -> None:
    async with discovery.open() as registry:
        registration = await registry.register(node("first", "writer"))

        with pytest.raises(RecordError, match="host fewer agents"):
            registration.update(node("first", *(f"agent-{number:030}" for number in range(200))))

        assert registry.peers() == (node("first", "writer"),)


async def test_a_key_is_created_once_and_again_when_its_lease_is_gone(discovery: Discovery) -> None:
    store = discovery.open_store()
    key = f"/isek/{discovery.mesh_id}/claims/task"
    first, second = await store.grant(60), await store.grant(60)

    assert await store.create(key, b"first", first)
    assert not await store.create(key, b"second", second)
    assert await store.create(key, b"first", first)
    await store.revoke(first)
    assert await store.create(key, b"second", second)
    with pytest.raises(LeaseNotFoundError):
        await store.create(f"{key}/2", b"first", first)
    await store.revoke(second)
    await store.close()


async def test_another_mesh_is_not_seen(discovery: Discovery) -> None:
    async with discovery.open("one.mesh") as one, discovery.open("one.mesh2") as other:
        await other.register(node("first", "writer"))
        await one.register(node("second", "editor"))

        assert [record.node_id for record in one.peers()] == ["second.newsroom"]


async def test_a_peer_that_is_just_coming_is_waited_for(discovery: Discovery) -> None:
    async with discovery.open() as far, discovery.open() as near:
        knowing = asyncio.create_task(far.knows_peer("12D3KooWnew", within=2))
        await near.register(node("first", "writer", peer_id="12D3KooWnew"))

        assert await knowing
        assert not await far.knows_peer("12D3KooWstranger", within=0.1)


async def test_a_record_that_is_too_large_is_refused_and_leaves_nothing(discovery: Discovery) -> None:
    crowd: NodeRecord = node("crowded", *(f"agent-{number:030}" for number in range(200)))
    async with discovery.open() as registry:
        with pytest.raises(RecordError, match="host fewer agents"):
            await registry.register(crowd)

        await registry.register(node("first", "writer"))
        assert registry.peers() == (node("first", "writer"),)
