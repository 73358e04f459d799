"""What is lost of a mesh's etcd is made good: a member from the others, and a quorum by those who were registered."""

import pytest
from isek_operator.decide.etcd.membership import Membership

from tests.integration.operator.etcd_mesh import EtcdMesh
from tests.integration.operator.test_etcd_members import names
from tests.support.kube import Object
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)  # with the start of control plane and members


async def test_a_member_that_lost_its_volume_is_replaced_by_a_learner(three: EtcdMesh) -> None:
    before = await three.membership()

    async with three.nodes(2), three.conditions_of("EtcdAvailable") as available, await three.clients() as clients:
        leader = await three.leader()
        await three.kubelet.lose_machine(three.namespace, leader)
        after = await until_changed(three, before)
        await three.until_settled(3)

    assert clients.verdict.violations == []
    assert available == ["True"]
    ordinal = int(leader[-1])
    assert after.members[ordinal].id not in {member.id for member in before.members}
    kept = [number for number in range(3) if number != ordinal]
    assert [after.members[number] for number in kept] == [before.members[number] for number in kept]


async def test_a_quorum_lost_for_good_is_told_and_replaced_and_the_nodes_are_back(three: EtcdMesh) -> None:
    before = await three.membership()

    async with three.nodes(3) as nodes:
        for member in ("default-etcd-1", "default-etcd-2"):
            await three.kubelet.lose_machine(three.namespace, member)
        await three.kube.until_true("IsekMesh", "default", says_so, what="says that the quorum is missing", within=30)
        # nobody forgets whom he knew
        assert [len(names(registry)) for registry in nodes] == [3, 3, 3]

        await until(lambda: is_another(three, before), what="another etcd takes its place", within=60)
        await three.until_settled(3)
        async with three.registry() as newcomer:
            await until(lambda: len(names(newcomer)) == 3, what="all nodes are registered again", within=15)
        assert [len(names(registry)) for registry in nodes] == [3, 3, 3]
    data = three.kubelet.volume(three.namespace, "default-etcd-0", "data")
    assert [each.name for each in data.iterdir()] == [(await three.membership()).token], "nothing is left of the former"


async def until_changed(etcd: EtcdMesh, before: Membership) -> Membership:
    async def changed() -> Membership | None:
        now = await etcd.membership()
        ids = [member.id for member in now.members]
        return now if len(ids) == len(before.members) and ids != [member.id for member in before.members] else None

    return await until(changed, what="a member is another", within=60)


async def is_another(etcd: EtcdMesh, before: Membership) -> bool:
    return (await etcd.membership()).token != before.token


def says_so(mesh: Object) -> bool:
    conditions = {each["type"]: each for each in mesh["status"]["conditions"]}
    available = conditions["EtcdAvailable"]["status"]
    return bool(available == "False" and "no quorum, 2 members are needed" in conditions["Ready"]["message"])
