"""Install, upgrade and uninstall by Helm, on a control plane of its own: what becomes of kinds and agents."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from isek.api import KINDS
from isek_operator.installed import complaint

from tests.support.chart import CHART
from tests.support.cluster_tools import cluster_tool
from tests.support.control_plane import ControlPlane, KubeClient, KubeError
from tests.support.credentials import credentials_of
from tests.support.kubectl import run
from tests.support.waiting import until

NAMESPACE = "isek-system"
NEW_FIELD = "capabilities"
DEFINITIONS = [f"{kind.plural}.isek.io" for kind in KINDS.values()]


def writer(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "isek.io/v1alpha1",
        "kind": "IsekAgent",
        "metadata": {"name": "writer"},
        "spec": {"model": {"provider": "Echo"}, **spec},
    }


@pytest.fixture
async def cluster() -> AsyncIterator[ControlPlane]:
    async with ControlPlane() as control_plane:
        yield control_plane


@pytest.fixture
def older_chart(tmp_path: Path) -> Path:
    """The chart of a time when agents had no such field."""
    chart = tmp_path / "isek-operator"
    shutil.copytree(CHART, chart)
    path = chart / "files" / "crds" / "isekagents.yaml"
    definition = yaml.safe_load(path.read_text())
    (version,) = definition["spec"]["versions"]
    del version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"][NEW_FIELD]
    path.write_text(yaml.safe_dump(definition))
    return chart


async def helm(cluster: ControlPlane, *arguments: str | Path) -> None:
    environment = {"KUBECONFIG": str(cluster.admin.kubeconfig)}
    await run(cluster_tool("helm"), *arguments, "--namespace", NAMESPACE, env=environment)


async def install(cluster: ControlPlane, chart: Path = CHART, *options: str) -> KubeClient:
    """Install, or upgrade, and return a client for the namespace once the kinds are served."""
    await helm(cluster, "upgrade", "--install", "isek", chart, "--create-namespace", *options)
    for name in DEFINITIONS:
        await cluster.kube.until_condition("CustomResourceDefinition", name, "Established")
    return cluster.kube.in_namespace(NAMESPACE)


async def test_an_upgrade_brings_the_kinds_up_to_date(cluster: ControlPlane, older_chart: Path) -> None:
    kube = await install(cluster, older_chart)
    with pytest.raises(KubeError, match=NEW_FIELD):
        await kube.apply(writer(**{NEW_FIELD: ["prose"]}))
    await kube.apply(writer())

    await install(cluster)

    async def served() -> bool:
        try:
            applied = await kube.apply(writer(**{NEW_FIELD: ["prose"]}))
        except KubeError as error:
            raise AssertionError(str(error)) from None
        return bool(applied["spec"][NEW_FIELD] == ["prose"])

    await until(served, what="the new field is served")


async def test_an_uninstall_leaves_the_kinds_and_the_agents_to_the_next_install(cluster: ControlPlane) -> None:
    kube = await install(cluster)
    before = await kube.apply(writer())

    await helm(cluster, "uninstall", "isek")
    assert await kube.find("Deployment", "isek-operator") is None
    assert await kube.find("ClusterRole", "isek-operator") is None
    kept = await kube.get("IsekAgent", "writer")
    await install(cluster)

    assert kept["metadata"]["uid"] == before["metadata"]["uid"]
    assert (await kube.get("IsekAgent", "writer"))["metadata"]["uid"] == before["metadata"]["uid"]


async def test_told_so_an_uninstall_removes_the_kinds_and_with_them_the_agents(cluster: ControlPlane) -> None:
    kube = await install(cluster, CHART, "--set", "crds.keep=false")
    await kube.apply(writer())

    await helm(cluster, "uninstall", "isek")

    for name in DEFINITIONS:
        await cluster.kube.until_gone("CustomResourceDefinition", name, within=30)


async def test_an_install_without_its_kinds_is_noticed_by_the_test_of_the_chart(cluster: ControlPlane) -> None:
    credentials = credentials_of(cluster.admin.kubeconfig)
    # any address that answers does for the operator's: what is asked here is the API server
    readiness = f"http://{cluster.etcd.members[0].endpoint}/health"

    before = await complaint(readiness, credentials, within=0)
    await install(cluster)
    after = await complaint(readiness, credentials)

    assert before is not None
    assert before.startswith("the API server does not serve IsekAgent, IsekMesh, IsekNode, IsekTeam")
    assert after is None
