"""Who lives in another cluster of a mesh, as its nodes say in the shared etcd, can be a member here."""

import pytest
from isek.registry import NodeRecord
from isek.registry.record import AgentRecord

from tests.integration.operator.etcd_mesh import EtcdMesh
from tests.integration.operator.resources import team

pytestmark = pytest.mark.timeout(300)  # with the start of control plane and members
LOOKS_SECONDS = 60
"""The operator asks a settled etcd every 30 s."""


async def test_a_member_may_live_in_another_cluster_and_is_missed_once_it_is_gone(etcd: EtcdMesh) -> None:
    await etcd.has_members(1, expose={"type": "NodePort", "names": ["192.0.2.4"]})
    await etcd.kube.apply(team("newsroom", "researcher"))
    await etcd.kube.until_condition("IsekTeam", "newsroom", "ResolvedRefs", "False", reason="AgentNotFound")

    async with etcd.registry() as registry:
        await registry.register(
            NodeRecord(
                node_id=f"pod-1.{etcd.namespace}",
                namespace=etcd.namespace,
                cluster="south",
                host="10.0.0.1",
                port=8080,
                agents=(AgentRecord(name="researcher"),),
            )
        )
        await etcd.kube.until_condition("IsekTeam", "newsroom", "ResolvedRefs", within=LOOKS_SECONDS)
        await etcd.kube.until_exists("Deployment", "newsroom-team")

    await etcd.kube.until_condition(
        "IsekTeam", "newsroom", "ResolvedRefs", "False", reason="AgentNotFound", within=LOOKS_SECONDS + 20
    )
