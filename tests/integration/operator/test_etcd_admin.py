"""The administrator's client against real etcds that speak TLS."""

import asyncio
import socket
from contextlib import AsyncExitStack

import grpc
import pytest
from aetcd import rpc
from isek.registry.broken import BrokenAgent, BrokenRecord
from isek_operator.cluster import etcd_view
from isek_operator.cluster.etcd import LARGEST_ANSWER, EtcdAdmin, EtcdError, EtcdRefusedError, EtcdUnavailableError
from isek_operator.decide.etcd.view import EtcdAccess

from tests.support.tls_etcd import TlsEtcd
from tests.support.waiting import until

NODES = "/isek/newsroom.default/"
BROKEN = f"{NODES}broken/"
SOMEBODY = (("m0", "localhost:0"),)
"""The members are known to the administrator by then."""


async def add(etcd: TlsEtcd, name: str) -> int:
    """Add a member, start it, and give it its vote once it has caught up."""
    member = etcd.prepare(name)
    async with etcd.admin() as admin:
        # etcd lets a member in only when all others have been connected for five seconds
        id_ = await until(
            lambda: admin.add_learner(member.peer_url), what=f"{name} is added", within=20, retry_on=(EtcdError,)
        )
        await etcd.join(name)

        async def promoted() -> bool:
            await admin.promote(id_)
            return True

        await until(promoted, what=f"{name} votes", within=20, retry_on=(EtcdError,))
    return id_


async def test_members_join_as_learners_lead_and_leave() -> None:
    async with TlsEtcd() as etcd:
        second, third = await add(etcd, "m1"), await add(etcd, "m2")
        async with etcd.admin() as admin:
            listed = {each.name: each for each in await admin.members()}
            assert listed.keys() == {"m0", "m1", "m2"}
            assert not any(each.learner for each in listed.values())
            assert listed["m1"].peer_url == etcd.members["m1"].peer_url

            await admin.move_leader("m0", third)
            assert (await admin.status("m1")).leader == third

            await until(lambda: removed(admin, second), what="m1 is removed", within=20, retry_on=(EtcdError,))
            assert {each.name for each in await admin.members()} == {"m0", "m2"}


async def removed(admin: EtcdAdmin, member: int) -> bool:
    await admin.remove(member)
    return True


async def test_without_a_quorum_only_a_serializable_list_is_answered() -> None:
    async with TlsEtcd() as etcd:
        await add(etcd, "m1")
        await etcd.members["m1"].process.kill()

        async with etcd.admin() as admin:
            with pytest.raises((EtcdUnavailableError, EtcdRefusedError)) as raised:
                await admin.members()
            assert "\n" not in str(raised.value)
            assert len(await admin.members(linearizable=False)) == 2
            with pytest.raises(EtcdUnavailableError, match=r"m1 at 127\.0\.0\.1:\d+: "):
                await admin.status("m1")


async def test_nodes_are_restricted_to_their_prefix_and_root_is_not() -> None:
    async with TlsEtcd() as etcd:
        async with etcd.admin() as admin:
            assert not await admin.auth_enabled()
            assert await admin.granted("isek-node") == set()
            await admin.restrict("isek-node", "/isek/former/")
            await admin.restrict("isek-node", NODES)  # again, and for another prefix

            assert await admin.auth_enabled()
            assert await admin.granted("isek-node") == {NODES}
            assert (await admin.members())[0].name == "m0"

        async with etcd.channel("isek-node") as channel:
            keys = rpc.KVStub(channel)
            await keys.Put(rpc.PutRequest(key=f"{NODES}a".encode(), value=b"1"))
            for foreign in (b"/isek/former/a", b"/isek/newsroom.default2/a", b"/"):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await keys.Put(rpc.PutRequest(key=foreign, value=b"1"))
                assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED

        async with etcd.admin("isek-node") as intruder:
            with pytest.raises(EtcdRefusedError, match="permission denied"):
                await intruder.restrict("isek-node", "/")


async def test_a_full_etcd_takes_writes_again_after_compaction_defragmentation_and_disarming() -> None:
    async with TlsEtcd(quota_bytes=8 * 1024 * 1024) as etcd, etcd.channel("root") as channel, etcd.admin() as admin:
        keys, block = rpc.KVStub(channel), rpc.PutRequest(key=b"/k", value=b"x" * 512 * 1024)

        async def fill() -> None:
            for _ in range(64):
                await keys.Put(block)

        with pytest.raises(grpc.aio.AioRpcError, match="database space exceeded"):
            await fill()
        (member,) = await admin.members()
        assert await until(admin.space_alarms, what="the alarm is raised") == {member.id}

        full = await admin.status("m0")
        await admin.compact()
        await admin.compact()  # a second time there is nothing to do
        await admin.defragment("m0")
        roomy = await admin.status("m0")
        assert roomy.db_bytes < full.db_bytes / 2
        assert roomy.db_bytes_in_use <= roomy.db_bytes

        await admin.disarm_space(member.id)
        assert await admin.space_alarms() == set()
        await keys.Put(block)


async def test_whoever_shows_the_certificate_of_another_authority_is_told_so_in_one_line() -> None:
    async with TlsEtcd() as etcd:
        other = TlsEtcd()
        endpoints = {"m0": etcd.members["m0"].endpoint}
        async with EtcdAdmin(endpoints, other.tls("root")) as stranger:
            with pytest.raises(EtcdUnavailableError) as refused:
                await stranger.members()
        assert "\n" not in str(refused.value)


async def test_a_look_at_members_that_all_hang_ends_soon_and_says_that_nobody_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(etcd_view, "STAGE_SECONDS", 1)
    async with TlsEtcd() as etcd, AsyncExitStack() as stack:
        endpoints = {}
        for number in range(9):
            silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            endpoints[f"m{number}"] = f"127.0.0.1:{silent.getsockname()[1]}"
        access = EtcdAccess(tuple(endpoints.items()), secret="root")

        async with asyncio.timeout(15), EtcdAdmin(endpoints, etcd.tls("root")) as admin:
            view = await etcd_view.look(admin, access, 7.0)

    assert (view.quorum, view.members, view.error) == (False, (), "no member answered within 1 s")


async def test_who_may_do_no_more_than_nodes_hears_what_they_cannot_run() -> None:
    said = BrokenRecord(
        node_id="a.press",
        namespace="press",
        config_hash="abc",
        agents=(BrokenAgent(kind="IsekAgent", name="poet", message="no"),),
    )
    async with TlsEtcd() as etcd:
        async with etcd.admin() as admin:
            await admin.restrict("isek-node", NODES)
        async with etcd.channel("isek-node") as channel:
            await rpc.KVStub(channel).Put(rpc.PutRequest(key=f"{BROKEN}press/a".encode(), value=said.encode()))

        async with etcd.admin("isek-node") as admin:
            view = await etcd_view.look(admin, EtcdAccess(SOMEBODY, "nodes", key=NODES, broken_prefix=BROKEN), 7.0)

    assert view.quorum
    assert [each.name for each in view.broken or ()] == ["poet"]


async def test_what_nodes_write_beyond_measure_is_not_read_and_says_nothing_of_the_etcd() -> None:
    async with TlsEtcd() as etcd:
        async with etcd.admin() as admin:
            await admin.restrict("isek-node", NODES)
        async with etcd.channel("isek-node") as channel:
            for number in range(LARGEST_ANSWER // 2**20 + 1):
                key = f"{BROKEN}press/{number}".encode()
                await rpc.KVStub(channel).Put(rpc.PutRequest(key=key, value=b"x" * 2**20))

        async with etcd.admin() as admin:
            access = EtcdAccess(SOMEBODY, "root", key=NODES, broken_prefix=BROKEN, role="isek-node")
            view = await etcd_view.look(admin, access, 7.0)

    assert (view.quorum, view.error, view.granted, view.broken) == (True, "", frozenset({NODES}), None)
