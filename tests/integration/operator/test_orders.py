"""The order in which mesh, node, agent and team are applied does not matter."""

import asyncio
import json
from itertools import permutations
from typing import Any

from tests.integration.operator.operator_process import OperatorProcess
from tests.integration.operator.resources import CHILD_KINDS, OURS, agent, mesh, node, team
from tests.support.control_plane import ControlPlane, KubeClient
from tests.support.kube import Object
from tests.support.waiting import until

STORY = (
    mesh("ground"),
    node("shared", meshRef={"name": "ground"}),
    agent("writer", nodeRef={"name": "shared"}),
    team("newsroom", "writer", meshRef={"name": "ground"}),
)
GROUND = ["ConfigMap newsroom-team", "ConfigMap shared-node", "Deployment newsroom-team", "Deployment shared-node"]
OF_THE_CLUSTER = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "ownerReferences")


async def test_all_orders_lead_to_the_same_children_and_conditions(
    control_plane: ControlPlane, operator: OperatorProcess
) -> None:
    orders = list(permutations(STORY))
    outcomes = []
    for batch in range(0, len(orders), 8):
        namespaces = [f"order-{batch + index}" for index in range(8)]
        told = zip(namespaces, orders[batch : batch + 8], strict=True)
        outcomes += await asyncio.gather(*(outcome_of(control_plane, name, order) for name, order in told))

    assert len(outcomes) == 24
    for outcome in outcomes[1:]:
        assert outcome == outcomes[0]
    assert set(GROUND) <= set(outcomes[0])
    await operator.until_reconciled(1)


async def outcome_of(control_plane: ControlPlane, namespace: str, order: tuple[Object, ...]) -> dict[str, Any]:
    """Return what became of an order: each child without what tells one namespace from another, each condition."""
    await control_plane.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    kube = control_plane.kube.in_namespace(namespace)
    for wish in order:
        await kube.apply(wish)
    await until_mesh_is_up(kube)
    await until(lambda: settled(kube), within=60, what=f"all is ready in {namespace}")
    found: dict[str, Any] = {
        f"{child['kind']} {child['metadata']['name']}": plain(child, namespace) for child in await children(kube)
    }
    for wish in order:
        live = await kube.get(wish["kind"], wish["metadata"]["name"])
        conditions = [
            (condition["type"], condition["status"], condition["reason"]) for condition in live["status"]["conditions"]
        ]
        found[f"{wish['kind']} {wish['metadata']['name']}"] = conditions
    return found


async def until_mesh_is_up(kube: KubeClient) -> None:
    await kube.until_exists("StatefulSet", "ground-etcd", within=30)
    await kube.mark_ready("StatefulSet", "ground-etcd")


async def settled(kube: KubeClient) -> bool:
    """Play the pods of whatever Deployment there is, until everything is ready."""
    for child in await kube.list("Deployment", labels=OURS):
        if child.get("status", {}).get("observedGeneration") != child["metadata"]["generation"]:
            await kube.mark_ready("Deployment", child["metadata"]["name"])
    for wish in STORY:
        live = await kube.get(wish["kind"], wish["metadata"]["name"])
        conditions = live.get("status", {}).get("conditions", [])
        up = "EtcdAvailable" if wish["kind"] == "IsekMesh" else "Ready"  # no etcd runs here that could say it is well
        if not any(condition["type"] == up and condition["status"] == "True" for condition in conditions):
            return False
    return True


async def children(kube: KubeClient) -> list[Object]:
    return [child for kind in CHILD_KINDS for child in await kube.list(kind, labels=OURS)]


def plain(child: Object, namespace: str) -> Object:
    """Drop what is different for each object, or is nobody's choice: addresses, the private network's key."""
    metadata = {name: value for name, value in child["metadata"].items() if name not in OF_THE_CLUSTER}
    for annotation in ("isek.io/wish", "isek.io/user-part", "deployment.kubernetes.io/revision"):
        metadata.get("annotations", {}).pop(annotation, None)
    kept = {name: value for name, value in child.items() if name not in {"metadata", "status"}}
    if child["kind"] == "Secret":
        kept["data"] = sorted(child["data"])
    if child["kind"] == "Service":
        kept["spec"] = {name: value for name, value in child["spec"].items() if name not in {"clusterIP", "clusterIPs"}}
    if child["kind"] in {"Deployment", "StatefulSet"}:
        kept["spec"]["template"]["metadata"].pop("annotations", None)  # hashes of what holds the namespace's name
    text = json.dumps({**kept, "metadata": metadata}).replace(namespace, "NAMESPACE")
    text = text.replace(child["metadata"]["ownerReferences"][0]["uid"], "UID-OF-THE-OWNER")
    parsed: Object = json.loads(text)
    return parsed
