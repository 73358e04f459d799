"""What Argo CD and Flux apply stays as they applied it, and goes as they delete it."""

from typing import Any

import pytest
import yaml

from tests.integration.operator.operator_process import OperatorProcess
from tests.integration.operator.resources import CHILD_KINDS, OURS, agent, mesh, node, team
from tests.support.binaries import binary
from tests.support.control_plane import ControlPlane, KubeClient
from tests.support.kstatus import kstatus
from tests.support.kube import KubeError, Object
from tests.support.kubectl import Kubectl
from tests.support.waiting import until

LABEL, ANNOTATION = "app.kubernetes.io/instance", "argocd.argoproj.io/tracking-id"
TRACKED = {"labels": {LABEL: "newsroom"}, "annotations": {ANNOTATION: "newsroom:isek.io"}}
CLIENT_SIDE: tuple[str, ...] = ()
SERVER_SIDE = ("--server-side", "--field-manager=argocd-controller")
MANIFESTS = (
    mesh("default"),
    node("shared"),
    agent("writer", memory={"provider": "SQLite"}),
    agent("guest", nodeRef={"name": "shared"}),
    team("newsroom", "writer", "guest"),
)

pytestmark = pytest.mark.usefixtures("operator")


class Sync:
    """A folder of manifests, and kubectl as a GitOps tool uses it."""

    def __init__(self, kubectl: Kubectl, *manifests: Object) -> None:
        self.kubectl = kubectl
        self.text = yaml.safe_dump_all([{**each, "metadata": each["metadata"] | TRACKED} for each in manifests])

    async def apply(self, mode: tuple[str, ...]) -> None:
        await self.kubectl("apply", *mode, "-f", "-", stdin=self.text)

    async def until_no_difference(self, mode: tuple[str, ...]) -> None:
        """Wait until what lives is what the folder says. (A status written between two reads looks like one.)"""

        async def same() -> bool:
            return await self.kubectl("diff", *mode, "-f", "-", stdin=self.text) == ""  # it exits with 1 otherwise

        await until(same, within=20, what="nothing differs")


@pytest.fixture
def kubectl(control_plane: ControlPlane, kube: KubeClient) -> Kubectl:
    return Kubectl(binary("kubectl"), control_plane.admin.kubeconfig, namespace=kube.namespace)


async def ready(kube: KubeClient) -> None:
    """Bring all with pods to where they are ready; a Deployment may be changed once more when a guest arrives.

    The mesh is not: no etcd runs here.
    """

    async def all_are() -> bool:
        await kube.mark_ready("StatefulSet", "default-etcd")
        for name in ("shared-node", "writer-agent", "newsroom-team"):
            await kube.mark_ready("Deployment", name)
        found = [await kube.get(manifest["kind"], manifest["metadata"]["name"]) for manifest in MANIFESTS[1:]]
        unready = [each["metadata"]["name"] for each in found if kstatus(each) != "Current"]
        assert not unready, unready
        return True

    await until(all_are, within=20, what="all are ready", retry_on=(KubeError,))


async def children(kube: KubeClient) -> list[Object]:
    return [child for kind in CHILD_KINDS for child in await kube.list(kind, labels=OURS)]


@pytest.mark.parametrize("mode", [CLIENT_SIDE, SERVER_SIDE], ids=["client-side", "server-side"])
async def test_a_synced_folder_stays_in_sync_while_the_operator_works(
    kube: KubeClient, kubectl: Kubectl, mode: tuple[str, ...]
) -> None:
    sync = Sync(kubectl, *MANIFESTS)
    await sync.apply(mode)
    await sync.until_no_difference(mode)

    await ready(kube)

    await sync.until_no_difference(mode)
    # not the mesh, which is told of as its etcd is looked for
    before = {kind: await kube.list(kind) for kind in ("IsekAgent", "IsekTeam", "IsekNode")}
    await sync.apply(mode)
    assert {kind: await kube.list(kind) for kind in before} == before, "a second sync changes nothing"


@pytest.mark.parametrize("mode", [CLIENT_SIDE, SERVER_SIDE], ids=["client-side", "server-side"])
@pytest.mark.parametrize(
    "scaled", [node("shared"), agent("writer"), team("newsroom", "writer")], ids=lambda r: r["kind"]
)
async def test_an_autoscaler_and_a_sync_do_not_fight(
    kube: KubeClient, kubectl: Kubectl, operator: OperatorProcess, mode: tuple[str, ...], scaled: Object
) -> None:
    kind, name = scaled["kind"], scaled["metadata"]["name"]
    sync = Sync(kubectl, mesh("default"), agent("writer"), scaled)
    await sync.apply(mode)
    deployment = f"{name}-{kind.removeprefix('Isek').lower()}"
    await kube.until_exists("Deployment", deployment)

    await kube.patch(kind, name, {"spec": {"replicas": 3}}, subresource="scale")
    await kube.until_true("Deployment", deployment, lambda live: live["spec"]["replicas"] == 3, what="has 3 replicas")

    await sync.until_no_difference(mode)
    await sync.apply(mode)
    await operator.until_reconciled(1)
    assert (await kube.get(kind, name))["spec"]["replicas"] == 3
    assert (await kube.get("Deployment", deployment))["spec"]["replicas"] == 3


async def test_what_a_tool_tracks_its_resources_by_is_not_on_their_children(kube: KubeClient, kubectl: Kubectl) -> None:
    await Sync(kubectl, *MANIFESTS).apply(CLIENT_SIDE)
    await ready(kube)

    made = await children(kube)

    assert {child["kind"] for child in made} == set(CHILD_KINDS)
    for child in made:
        assert not tracked(child["metadata"]), child["kind"]
        if "template" in child.get("spec", {}):
            assert not tracked(child["spec"]["template"]["metadata"]), child["kind"]


def tracked(metadata: dict[str, Any]) -> bool:
    return LABEL in metadata.get("labels", {}) or ANNOTATION in metadata.get("annotations", {})


@pytest.mark.parametrize("propagation", ["foreground", "background"])
async def test_what_is_pruned_goes_with_all_that_was_made_for_it(
    kube: KubeClient, kubectl: Kubectl, propagation: str
) -> None:
    await Sync(kubectl, *MANIFESTS).apply(SERVER_SIDE)
    await ready(kube)

    for manifest in MANIFESTS:
        await kubectl("delete", manifest["kind"], manifest["metadata"]["name"], f"--cascade={propagation}")

    async def nothing_left() -> bool:
        left = await children(kube)
        assert not left, [(child["kind"], child["metadata"]["name"]) for child in left]
        return True

    await until(nothing_left, within=30, what="all children are collected")


async def test_what_is_pruned_as_an_orphan_leaves_its_pods_running_and_unowned(
    kube: KubeClient, kubectl: Kubectl, operator: OperatorProcess
) -> None:
    await kube.apply(mesh("default"), agent("writer"))
    before = await kube.until_exists("Deployment", "writer-agent")

    await kubectl("delete", "isekagent", "writer", "--cascade=orphan")
    await operator.until_reconciled(1)

    after = await kube.get("Deployment", "writer-agent")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"] == before["spec"]
    assert "ownerReferences" not in after["metadata"]
    assert "deletionTimestamp" not in after["metadata"]
