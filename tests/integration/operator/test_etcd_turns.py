"""A new version of the operator replaces the members of a few etcds at a time."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.integration.operator.conftest import assert_no_fault
from tests.integration.operator.etcd_mesh import EtcdGround, EtcdMesh
from tests.integration.operator.operator_process import OperatorProcess
from tests.support.kube import Object
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)  # with the start of control plane and members

NEXT = "isek/operator:next"


@pytest.fixture
async def meshes(etcd_ground: EtcdGround, tmp_path: Path) -> AsyncIterator[list[EtcdMesh]]:
    """Three meshes with one member each."""
    async with AsyncExitStack() as stack:
        made = [EtcdMesh(etcd_ground, tmp_path) for _ in range(3)]
        for each in made:
            await stack.enter_async_context(each.told())
            await each.apply()
        for each in made:
            await each.until_settled(1)
        yield made
        for each in made:
            await each.remove()


@asynccontextmanager
async def upgraded(ground: EtcdGround, meshes: list[EtcdMesh], log: Path) -> AsyncIterator[OperatorProcess]:
    """Another version of the operator, in the place of the one that runs, for these meshes alone."""
    kubeconfig = Path(ground.operator.environment["KUBECONFIG"])
    namespaces = ",".join(each.namespace for each in meshes)
    settings = {"watch_namespaces": namespaces, "operator_image": NEXT, "max_concurrent_upgrades": "1"}
    async with (
        ground.operator.away(),
        OperatorProcess(kubeconfig, log, hosts=ground.kubelet.hosts, **settings) as operator,
    ):
        yield operator


async def test_one_etcd_after_the_other_gets_the_guard_of_the_new_version(
    etcd_ground: EtcdGround, meshes: list[EtcdMesh], tmp_path: Path
) -> None:
    ready = dict.fromkeys((each.namespace for each in meshes), True)
    away_at_once: list[int] = []

    def see(type_: str, pod: Object) -> None:
        conditions = pod.get("status", {}).get("conditions", [])
        holds = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
        ready[pod["metadata"]["namespace"]] = holds and type_ != "DELETED"
        away_at_once.append(list(ready.values()).count(False))

    async def guards(etcd: EtcdMesh) -> set[str]:
        pods = await etcd.kube.list("Pod")
        return {container["image"] for pod in pods for container in pod["spec"]["initContainers"]}

    async def all_replaced() -> bool:
        return [await guards(each) for each in meshes] == [{NEXT}] * len(meshes)

    log = tmp_path / "operator.log"
    async with AsyncExitStack() as stack:
        for each in meshes:
            await stack.enter_async_context(each.pods_seen(see))
        await until(lambda: len(away_at_once) >= len(meshes), what="all pods are seen")
        async with upgraded(etcd_ground, meshes, log) as operator:
            await until(all_replaced, within=90, what="all members are replaced")
            for each in meshes:
                await each.until_settled(1)
            assert await operator.metric("isek_operator_workloads_outdated") == 0

    assert max(away_at_once) == 1
    assert_no_fault(log)
