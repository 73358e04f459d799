"""What nodes say of agents that they cannot build becomes the agents' conditions."""

import pytest
from isek.registry import BrokenAgent, BrokenRecord
from isek_operator.manifests.meta import CONFIG_HASH

from tests.integration.operator.etcd_mesh import EtcdMesh
from tests.integration.operator.resources import agent
from tests.support.kube import Object

pytestmark = pytest.mark.timeout(300)  # with the start of control plane and members
COMPLAINT = "/var/run/isek/code/poets/poets.py, line 1: ModuleNotFoundError: No module named 'rhymes'"
LOOKS_SECONDS = 60
"""The operator asks a settled etcd every 30 s."""


async def test_an_agent_that_its_node_cannot_build_says_why_until_it_can(etcd: EtcdMesh) -> None:
    await etcd.has_members(1)
    await etcd.kube.apply(agent("poet"))
    await etcd.kube.until_exists("Deployment", "poet-agent")
    deployment = await etcd.kube.mark_ready("Deployment", "poet-agent")
    await etcd.kube.until_condition("IsekAgent", "poet", "Ready")

    async with etcd.registry() as registry:
        poet = BrokenAgent(kind="IsekAgent", name="poet", message=COMPLAINT)
        record = BrokenRecord(
            node_id=f"pod-1.{etcd.namespace}",
            namespace=etcd.namespace,
            config_hash=deployment["spec"]["template"]["metadata"]["annotations"][CONFIG_HASH],
            agents=(poet,),
        )
        await registry.report(record)
        said = await etcd.kube.until_condition(
            "IsekAgent", "poet", "Stalled", reason="AgentInvalid", within=LOOKS_SECONDS
        )
        assert message(said, "Ready") == COMPLAINT

        await registry.report(record.model_copy(update={"agents": (), "changed": (poet,)}))
        lacking = await etcd.kube.until_condition(
            "IsekAgent", "poet", "ResolvedRefs", "False", reason="ToolsChanged", within=LOOKS_SECONDS
        )
        assert message(lacking, "ResolvedRefs") == COMPLAINT

    await etcd.kube.until_condition("IsekAgent", "poet", "Ready", within=LOOKS_SECONDS)


def message(found: Object, type_: str) -> str:
    return next(str(each["message"]) for each in found["status"]["conditions"] if each["type"] == type_)
