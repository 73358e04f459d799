"""An install that works in one namespace by Roles, on a control plane of its own: nothing is granted cluster-wide."""

from collections.abc import AsyncIterator

import pytest
import yaml

from tests.integration.conftest import CRDS
from tests.integration.operator.conftest import assert_no_fault
from tests.integration.operator.operator_process import OperatorProcess
from tests.integration.operator.resources import agent
from tests.support.chart import render
from tests.support.control_plane import ControlPlane, KubeClient
from tests.support.kube import Object
from tests.support.waiting import until

INSIDE, OUTSIDE, SYSTEM = "press", "lab", "isek-system"
CLUSTER_WIDE = ("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition")


@pytest.fixture(scope="module")
async def cluster() -> AsyncIterator[ControlPlane]:
    definitions = [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]
    async with ControlPlane(definitions=definitions) as control_plane:
        for name in (INSIDE, OUTSIDE, SYSTEM):
            await control_plane.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        yield control_plane


@pytest.fixture(scope="module")
async def installed(cluster: ControlPlane) -> tuple[Object, ...]:
    """The chart's manifests, applied as they are by somebody who has defined the kinds already."""
    values = (f"watchNamespaces={{{INSIDE}}}", "crds.install=false", "rbac.aggregate=false")
    manifests = render(*values, namespace=SYSTEM)
    for manifest in manifests:
        await cluster.kube.apply(manifest)
    return manifests


@pytest.fixture(scope="module")
async def confined(
    cluster: ControlPlane, installed: tuple[Object, ...], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[OperatorProcess]:
    """The operator with the ServiceAccount that the chart made."""
    (account,) = [manifest["metadata"] for manifest in installed if manifest["kind"] == "ServiceAccount"]
    user = await cluster.service_account(account["name"], namespace=SYSTEM)
    log = tmp_path_factory.mktemp("confined") / "operator.log"
    lease = {"lease_namespace": SYSTEM, "lease_name": account["name"]}
    async with OperatorProcess(user.kubeconfig, log, watch_namespaces=INSIDE, **lease) as process:
        yield process
    assert_no_fault(log)
    assert "forbidden" not in log.read_text()


def inside(cluster: ControlPlane) -> KubeClient:
    return cluster.kube.in_namespace(INSIDE)


def test_nothing_of_the_install_is_cluster_wide(installed: tuple[Object, ...]) -> None:
    assert not [manifest["kind"] for manifest in installed if manifest["kind"] in CLUSTER_WIDE]
    assert all("namespace" in manifest["metadata"] for manifest in installed)


@pytest.mark.usefixtures("confined")
async def test_an_agent_of_the_namespace_lives_from_its_making_to_its_end(cluster: ControlPlane) -> None:
    kube = inside(cluster)
    await kube.apply(agent("writer"))
    await kube.until_exists("StatefulSet", "default-etcd")
    await kube.mark_ready("StatefulSet", "default-etcd")
    await kube.until_exists("Deployment", "writer-agent")
    await kube.mark_ready("Deployment", "writer-agent")
    await kube.until_condition("IsekAgent", "writer", "Ready")
    await kube.delete("Deployment", "writer-agent")
    await kube.until_exists("Deployment", "writer-agent")
    await until(lambda: told(kube), what="what happened is told by events")

    await kube.delete("IsekAgent", "writer")

    await kube.until_gone("IsekMesh", "default")
    await kube.until_gone("Deployment", "writer-agent", within=30)


async def test_another_namespace_is_left_alone(cluster: ControlPlane, confined: OperatorProcess) -> None:
    outside = cluster.kube.in_namespace(OUTSIDE)
    await outside.apply(agent("stranger"))
    await inside(cluster).apply(agent("editor"))
    await inside(cluster).until_exists("Deployment", "editor-agent")
    await confined.until_reconciled(1)

    assert (await outside.get("IsekAgent", "stranger"))["status"]["observedGeneration"] == -1
    assert await outside.find("IsekMesh", "default") is None
    assert await outside.list("Deployment") == []


async def told(kube: KubeClient) -> bool:
    return {"DefaultMeshMade", "ChildPutBack"} <= {event["reason"] for event in await kube.list("Event")}
