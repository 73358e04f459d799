"""What only etcd can do to a registry."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from isek.registry import Registry
from isek.registry.etcd import EtcdRegistry
from isek.registry.record import nodes_prefix

from tests.integration.registry.records import node
from tests.support.control_plane_etcd import EtcdServer
from tests.support.control_plane_proxy import TcpProxy
from tests.support.log_lines import LogLines
from tests.support.waiting import until

MESH = "mesh.newsroom"
TTL_SECONDS = 3


def open_etcd(*endpoints: str, ttl_seconds: int = TTL_SECONDS) -> EtcdRegistry:
    return EtcdRegistry(endpoints, mesh_id=MESH, ttl_seconds=ttl_seconds)


def node_ids(registry: Registry) -> set[str]:
    return {record.node_id for record in registry.peers()}


@pytest.fixture
async def etcd() -> AsyncIterator[EtcdServer]:
    """An etcd of the test's own: it is killed, replaced and compacted."""
    async with EtcdServer() as server:
        yield server


@pytest.fixture
async def three() -> AsyncIterator[EtcdServer]:
    async with EtcdServer(members=3) as server:
        yield server


async def test_when_etcd_is_replaced_by_an_empty_one_all_are_back_within_their_time_and_never_missed(
    etcd: EtcdServer,
) -> None:
    async with AsyncExitStack() as stack:
        registries = [await stack.enter_async_context(open_etcd(*etcd.endpoints)) for _ in range(5)]
        for number, registry in enumerate(registries):
            await registry.register(node(f"node-{number}", "writer"))
        everybody = {f"node-{number}.newsroom" for number in range(5)}
        await until(lambda: all(node_ids(registry) == everybody for registry in registries), what="all know all")
        missed = asyncio.create_task(_who_was_missing(registries[0], everybody))

        await etcd.replace()

        async def all_are_back() -> bool:
            return len(await etcd.keys(nodes_prefix(MESH))) == 5

        await until(all_are_back, what="all are registered again", within=TTL_SECONDS)
        newest = await stack.enter_async_context(open_etcd(*etcd.endpoints))
        await newest.register(node("node-5", "writer"))
        for registry in registries:
            assert await registry.wait_for(lambda r=registry: "node-5.newsroom" in node_ids(r), 5)  # type: ignore[misc]
        missed.cancel()
        assert (await asyncio.gather(missed, return_exceptions=True))[0].__class__ is asyncio.CancelledError


async def _who_was_missing(registry: Registry, expected: set[str]) -> None:
    """Ends with an error as soon as somebody is missing."""
    while True:
        await registry.changed()
        assert node_ids(registry) >= expected


async def test_who_is_late_to_come_back_to_a_replaced_etcd_stays_a_peer_for_its_time(etcd: EtcdServer) -> None:
    async with open_etcd(*etcd.endpoints) as early, open_etcd(*etcd.endpoints) as late:
        await early.register(node("early", "writer"))
        registration = await late.register(node("late", "writer"))
        await early.wait_for(lambda: len(early.peers()) == 2, 1)
        for member in etcd.members:
            await member.kill()
        await registration.leave()  # nobody hears of it: it is as late as can be

        await etcd.replace()

        async def early_is_back() -> bool:
            return len(await etcd.keys(nodes_prefix(MESH))) == 1

        await until(early_is_back, what="the early one is registered again", within=TTL_SECONDS)
        async with open_etcd(*etcd.endpoints) as newest:
            await newest.register(node("newest", "writer"))
            assert await early.wait_for(lambda: "newest.newsroom" in node_ids(early), 2)
        assert "late.newsroom" in node_ids(early)


async def test_who_does_not_come_back_to_a_replaced_etcd_is_forgotten(etcd: EtcdServer) -> None:
    async with open_etcd(*etcd.endpoints) as living, open_etcd(*etcd.endpoints) as dying:
        await living.register(node("living", "writer"))
        gone = await dying.register(node("dying", "writer"))
        await living.wait_for(lambda: len(living.peers()) == 2, 1)

        for member in etcd.members:
            await member.kill()
        await gone.leave()
        await etcd.replace()

        assert await living.wait_for(lambda: node_ids(living) == {"living.newsroom"}, 2 * TTL_SECONDS + 2)


async def test_a_lost_etcd_takes_no_peers_away(etcd: EtcdServer, log: LogLines) -> None:
    async with open_etcd(*etcd.endpoints) as far, open_etcd(*etcd.endpoints) as near:
        await near.register(node("first", "writer"))
        await far.wait_for(far.peers, 1)

        await etcd.members[0].kill()
        await until(lambda: log.text.count("the last known 1 nodes stay known") == 2, what="both notice the loss")

        assert far.find("writer.newsroom") == (node("first", "writer"),)
        await etcd.members[0].restart()
        await near.register(node("second", "editor"))
        assert await far.wait_for(lambda: far.find("editor.newsroom"), 5)
        assert far.find("writer.newsroom") == (node("first", "writer"),)


async def test_a_node_may_start_before_its_etcd(etcd: EtcdServer, log: LogLines) -> None:
    await etcd.members[0].kill()
    async with open_etcd(*etcd.endpoints) as registry:
        registering = asyncio.create_task(registry.register(node("early", "writer")))
        await until(lambda: "does not answer" in log.text, what="it has tried")
        assert not registering.done()

        await etcd.members[0].restart()

        assert (await asyncio.wait_for(registering, 5)).registered


async def test_a_lease_that_is_lost_is_replaced(etcd: EtcdServer) -> None:
    async with open_etcd(*etcd.endpoints) as far, open_etcd(*etcd.endpoints) as near:
        registration = await near.register(node("first", "writer"))
        await far.wait_for(far.peers, 1)
        leases = await etcd.members[0].call("/v3/lease/leases", {})

        for lease in leases["leases"]:
            await etcd.members[0].call("/v3/lease/revoke", {"ID": lease["ID"]})

        assert await far.wait_for(lambda: not far.peers(), 1)
        assert await far.wait_for(far.peers, TTL_SECONDS)
        await until(lambda: registration.registered, what="the node knows that it is back")


async def test_what_happened_during_an_outage_is_known_after_it_even_when_etcd_has_compacted_it(
    etcd: EtcdServer,
) -> None:
    async with (
        TcpProxy(etcd.members[0].port) as proxy,
        open_etcd(*etcd.endpoints) as near,
        open_etcd(f"127.0.0.1:{proxy.port}") as far,
    ):
        leaving = await near.register(node("leaving", "writer"))
        await near.register(node("staying", "writer"))
        await far.wait_for(lambda: len(far.peers()) == 2, 1)

        await proxy.cut()
        await leaving.leave()
        await near.register(node("coming", "writer"))
        await etcd.compact()
        assert node_ids(far) == {"leaving.newsroom", "staying.newsroom"}
        await proxy.listen()

        assert await far.wait_for(lambda: node_ids(far) == {"staying.newsroom", "coming.newsroom"}, 5)


async def test_nodes_that_are_cut_off_together_until_their_records_expire_miss_each_other_at_no_time(
    etcd: EtcdServer,
) -> None:
    async with (
        TcpProxy(etcd.members[0].port) as proxy,
        open_etcd(f"127.0.0.1:{proxy.port}") as one,
        open_etcd(f"127.0.0.1:{proxy.port}") as other,
        open_etcd(*etcd.endpoints) as newest,
    ):
        both = {"one.newsroom", "other.newsroom"}
        await one.register(node("one", "writer"))
        await other.register(node("other", "writer"))
        await one.wait_for(lambda: node_ids(one) == both, 1)
        await proxy.cut()

        async def standing(number: int) -> bool:
            return len(await etcd.keys(nodes_prefix(MESH))) == number

        await until(lambda: standing(0), what="the records have expired")
        missed = asyncio.create_task(_who_was_missing(one, both))
        await newest.register(node("newest", "writer"))
        await proxy.listen()

        await until(lambda: standing(3), what="all are registered")
        assert await one.wait_for(lambda: node_ids(one) == {*both, "newest.newsroom"}, 5)
        missed.cancel()
        assert (await asyncio.gather(missed, return_exceptions=True))[0].__class__ is asyncio.CancelledError


async def test_a_watch_cut_short_goes_on_where_it_was(etcd: EtcdServer) -> None:
    async with (
        TcpProxy(etcd.members[0].port) as proxy,
        open_etcd(*etcd.endpoints) as near,
        open_etcd(f"127.0.0.1:{proxy.port}") as far,
    ):
        await near.register(node("first", "writer"))
        await far.wait_for(far.peers, 1)
        for number in range(3):
            await proxy.cut()
            await near.register(node(f"later-{number}", "writer"))
            await proxy.listen()

            assert await far.wait_for(lambda n=number: len(far.peers()) == n + 2, 5)  # type: ignore[misc]


async def test_registration_goes_on_while_the_leader_is_dead(three: EtcdServer) -> None:
    async with open_etcd(*three.endpoints) as far, open_etcd(*three.endpoints) as near:
        await near.register(node("first", "writer"))
        await far.wait_for(far.peers, 1)

        await (await three.leader()).kill()
        await asyncio.wait_for(near.register(node("second", "writer")), 5)

        assert await far.wait_for(lambda: len(far.peers()) == 2, 5)
        with pytest.raises(TimeoutError):  # and nobody is taken for dead
            await asyncio.wait_for(far.changed(), 2 * TTL_SECONDS)


async def test_a_member_that_hangs_is_left_for_another(three: EtcdServer, monkeypatch: pytest.MonkeyPatch) -> None:
    leader = await three.leader()
    hanging = next(member for member in three.members if member is not leader)
    monkeypatch.setattr(
        "isek.registry.etcd_client.random.randrange", lambda count: three.members.index(hanging) % count
    )
    async with open_etcd(*three.endpoints, ttl_seconds=15) as far, open_etcd(leader.endpoint) as near:
        await far.register(node("first", "writer"))

        hanging.pause()
        try:
            async with open_etcd(*three.endpoints) as starting:
                await asyncio.wait_for(starting.register(node("starting", "writer")), 10)
            await near.register(node("late", "writer"))

            # a watch that was open is found dead by the pings of its connection
            assert await far.wait_for(lambda: "late.newsroom" in node_ids(far), 20)
        finally:
            hanging.resume()


async def test_behind_a_service_a_member_that_hangs_costs_no_registration(three: EtcdServer) -> None:
    leader = await three.leader()
    hanging = next(member for member in three.members if member is not leader)
    endpoints = [hanging.port]
    async with (
        TcpProxy(lambda: ("127.0.0.1", endpoints[0])) as service,
        open_etcd(f"127.0.0.1:{service.port}", ttl_seconds=9) as near,
        open_etcd(leader.endpoint) as far,
    ):
        await near.register(node("first", "writer"))
        await far.wait_for(far.peers, 1)

        await asyncio.sleep(1)  # until nothing is under way: a ping without an answer would give the member away
        endpoints[0] = leader.port
        hanging.pause()
        try:
            with pytest.raises(TimeoutError):  # nobody is taken for dead
                await asyncio.wait_for(far.changed(), 13)
        finally:
            hanging.resume()


async def test_two_hundred_nodes_register_and_know_each_other(etcd: EtcdServer) -> None:
    count = 200
    async with AsyncExitStack() as stack:
        registries = [await stack.enter_async_context(open_etcd(*etcd.endpoints, ttl_seconds=15)) for _ in range(count)]
        await asyncio.gather(
            *(registry.register(node(f"node-{number}", "writer")) for number, registry in enumerate(registries))
        )
        await until(
            lambda: all(len(registry.peers()) == count for registry in registries), what="all know all", within=30
        )
