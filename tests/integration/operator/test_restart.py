"""A restart of the operator finds everything as it should be, and writes nothing."""

import asyncio

from tests.integration.operator.operator_process import OperatorProcess
from tests.integration.operator.resources import CHILD_KINDS, OURS, agent
from tests.support.control_plane import KubeClient
from tests.support.waiting import until

RESOURCES = 200
KINDS = ("IsekAgent", "IsekMesh", *CHILD_KINDS)


async def versions(kube: KubeClient) -> dict[str, str]:
    """Return the resource version of each custom resource and each child."""
    lists = [await kube.list(kind, labels="" if kind.startswith("Isek") else OURS) for kind in KINDS]
    return {
        f"{item['kind']} {item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for items in lists
        for item in items
    }


async def test_a_restart_with_200_resources_writes_nothing(kube: KubeClient, operator: OperatorProcess) -> None:
    for first in range(0, RESOURCES, 20):
        await asyncio.gather(*(kube.apply(agent(f"agent-{first + index}")) for index in range(20)))

    async def all_there() -> bool:
        agents = await kube.list("IsekAgent")
        deployments = await kube.list("Deployment", labels=OURS)
        return len(deployments) == RESOURCES and all(agent.get("status", {}).get("mesh") for agent in agents)

    await until(all_there, within=60, what="every agent has its Deployment and a status")
    await operator.until_reconciled(RESOURCES)
    before = await versions(kube)
    assert sum(" agent-" in name for name in before) == 7 * RESOURCES  # an agent and its six children

    await operator.stop()
    await operator.start()
    await operator.until_reconciled(RESOURCES + 1)

    assert await versions(kube) == before
    # meshes of other tests may be told of by their errors meanwhile
    writes = {kind: await operator.metric("isek_operator_writes_total", kind=kind) for kind in KINDS}
    assert sum(writes.values()) == writes["IsekMesh"], writes


async def test_looking_again_writes_nothing(kube: KubeClient, operator: OperatorProcess) -> None:
    await kube.apply(agent("writer"))
    await kube.until_exists("StatefulSet", "default-etcd")
    await kube.until_exists("Deployment", "writer-agent")
    await kube.mark_ready("StatefulSet", "default-etcd")
    await kube.mark_ready("Deployment", "writer-agent")
    await kube.until_condition("IsekAgent", "writer", "Ready")
    await operator.until_reconciled(1)
    before = await versions(kube)
    writes, runs = await counts(operator)

    for number in range(5):
        await kube.patch("Service", "writer-agent", {"metadata": {"annotations": {"looked": str(number)}}})

    async def looked_again() -> bool:
        return (await counts(operator))[1] > runs

    await until(looked_again, what="the operator has looked again")
    await operator.until_reconciled(1)
    assert (await counts(operator))[0] == writes
    after = await versions(kube)
    assert {name for name in after if after[name] != before[name]} == {"Service writer-agent"}


async def counts(operator: OperatorProcess) -> tuple[float, float]:
    """Return writes and runs so far."""
    return await operator.metric("isek_operator_writes_total"), await operator.metric("isek_operator_reconcile_total")
