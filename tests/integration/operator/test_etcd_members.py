"""The members of a mesh's etcd come and go one at a time, and nothing that was acknowledged is lost."""

import asyncio
import random

import pytest
from isek.registry import Registry

from tests.integration.operator.etcd_mesh import EtcdMesh
from tests.support.waiting import until

KILLS = 3
pytestmark = pytest.mark.timeout(300)  # with the start of control plane and members


async def test_from_one_member_to_five_and_back_nothing_is_lost(etcd: EtcdMesh) -> None:
    await etcd.has_members(1)

    async with (
        etcd.nodes(3) as nodes,
        etcd.conditions_of("EtcdAvailable") as available,
        await etcd.clients() as clients,
    ):
        for count in (3, 5, 3, 1):
            await etcd.has_members(count)
        known = [names(registry) for registry in nodes]

    assert clients.verdict.violations == []
    assert known == [{f"node-{number}.newsroom" for number in range(3)}] * 3
    assert available == ["True"]
    assert set(await etcd.pods()) == {"default-etcd-0"}


async def test_an_operator_that_is_killed_again_and_again_changes_members_all_the_same(etcd: EtcdMesh) -> None:
    await etcd.has_members(1)
    chance = random.Random(4)  # noqa: S311 - no secret

    async with etcd.nodes(2), await etcd.clients() as clients:
        for count in (3, 1):
            await etcd.apply(replicas=count)
            for _ in range(KILLS):
                await asyncio.sleep(chance.uniform(0.2, 2))  # somewhere in the middle
                await etcd.operator.process.kill()
                await etcd.operator.start()
            await etcd.until_settled(count)

    assert clients.verdict.violations == []


def names(registry: Registry) -> set[str]:
    return {record.node_id for record in registry.peers()}


async def test_an_etcd_gets_other_volumes_once_those_it_has_need_not_be_kept(etcd: EtcdMesh) -> None:
    await etcd.has_members(1, storage={"whenDeleted": "Retain"})
    before = await etcd.pods()

    await etcd.apply(storage={"whenDeleted": "Retain", "size": "2Gi"})
    await etcd.kube.until_condition("IsekMesh", "default", "Stalled", reason="VolumesKept")
    assert await etcd.pods() == before

    await etcd.apply(storage={"whenDeleted": "Delete", "size": "2Gi"})
    await until(lambda: asked_for(etcd, "2Gi"), within=60, what="the volume is another")
    await etcd.until_settled(1)


async def asked_for(etcd: EtcdMesh, size: str) -> bool:
    claims = await etcd.kube.list("PersistentVolumeClaim")
    return [each["spec"]["resources"]["requests"]["storage"] for each in claims] == [size]
