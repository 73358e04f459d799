"""Children are made, put back, pruned, and never taken from others."""

from collections.abc import Callable

import pytest

from tests.integration.operator.operator_process import OperatorProcess
from tests.integration.operator.resources import CHILD_KINDS, OURS, agent, mesh, node
from tests.support.control_plane import ControlPlane, KubeClient
from tests.support.kube import KubeError, Object
from tests.support.waiting import until

META = {"name": "writer-agent", "labels": {"whose": "mine"}}
POD = {"metadata": {"labels": {"app": "mine"}}, "spec": {"containers": [{"name": "node", "image": "mine:1"}]}}
FOREIGN: dict[str, Object] = {
    "ConfigMap": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": META, "data": {"whose": "mine"}},
    "Service": {"apiVersion": "v1", "kind": "Service", "metadata": META, "spec": {"ports": [{"port": 1}]}},
    "ServiceAccount": {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": META},
    "Deployment": {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": META,
        "spec": {"selector": {"matchLabels": {"app": "mine"}}, "template": POD},
    },
}

pytestmark = pytest.mark.usefixtures("operator")


def image(deployment: Object) -> str:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return str(next(container["image"] for container in containers if container["name"] == "node"))


async def test_an_agent_becomes_a_deployment_and_is_ready_once_its_pods_are(kube: KubeClient) -> None:
    await kube.apply(agent("writer"))
    await kube.until_exists("Deployment", "writer-agent")
    await kube.until_condition("IsekAgent", "writer", "Ready", "False")

    await kube.until_exists("StatefulSet", "default-etcd")
    await kube.mark_ready("StatefulSet", "default-etcd")
    await kube.mark_ready("Deployment", "writer-agent")

    ready = await kube.until_condition("IsekAgent", "writer", "Ready", reason="AllReplicasReady")
    assert [condition["type"] for condition in ready["status"]["conditions"]] == ["Ready", "ResolvedRefs"]
    assert ready["status"]["observedGeneration"] == ready["metadata"]["generation"]


async def test_an_agent_that_takes_a_memory_in_sqlite_gets_one_pod_at_a_time_and_loses_that_again(
    kube: KubeClient,
) -> None:
    memory = {"provider": "SQLite"}
    for spec, wanted in (({}, "RollingUpdate"), ({"memory": memory}, "Recreate"), ({}, "RollingUpdate")):
        await kube.apply(agent("writer", **spec))

        async def as_wanted(wanted: str = wanted) -> bool:
            deployment = await kube.until_exists("Deployment", "writer-agent")
            return bool(deployment["spec"]["strategy"]["type"] == wanted)

        await until(as_wanted, what=f"the strategy is {wanted}", within=30)


async def test_a_default_mesh_and_becoming_ready_are_events(kube: KubeClient) -> None:
    await kube.apply(node("shared"))
    await kube.until_exists("StatefulSet", "default-etcd")
    await kube.mark_ready("StatefulSet", "default-etcd")
    await kube.until_exists("Deployment", "shared-node")
    await kube.mark_ready("Deployment", "shared-node")
    await kube.until_condition("IsekNode", "shared", "Ready")

    await until_events(kube, "IsekNode", [("Normal", "AllReplicasReady", 1), ("Normal", "DefaultMeshMade", 1)])


async def test_a_child_that_others_change_or_delete_is_an_event_that_is_counted_up(kube: KubeClient) -> None:
    await kube.apply(mesh("default"), agent("writer"))
    service = await kube.until_exists("Service", "writer-agent")
    await kube.until_condition("IsekAgent", "writer", "Ready", "False")
    for _ in range(2):
        await kube.patch("Service", "writer-agent", {"spec": {"selector": {"isek.io/agent": "another"}}})
        await kube.until_true(
            "Service", "writer-agent", lambda live: live["spec"] == service["spec"], what="is as it was"
        )
    await kube.delete("ConfigMap", "writer-agent")

    await until_events(kube, "IsekAgent", [("Warning", "ChildPutBack", 1), ("Warning", "ChildPutBack", 2)])


async def until_events(kube: KubeClient, kind: str, expected: list[tuple[str, str, int]]) -> None:
    """Wait until the namespace holds these events about that kind, by type, reason and count, and no others."""

    async def told() -> bool:
        events = [event for event in await kube.list("Event") if event["involvedObject"]["kind"] == kind]
        found = sorted((e["type"], e["reason"], (e.get("series") or {}).get("count", 1)) for e in events)
        assert found == expected, found
        return True

    await until(told, what=f"the events about the {kind} are there")


async def test_an_edited_child_is_put_back(kube: KubeClient) -> None:
    await kube.apply(agent("writer"))
    before = await kube.until_exists("Deployment", "writer-agent")

    containers = [{"name": "node", "image": "somebody/else:1"}]
    patch = {"spec": {"template": {"spec": {"containers": containers, "initContainers": None}}}}
    await kube.patch("Deployment", "writer-agent", patch)

    after = await kube.until_true(
        "Deployment", "writer-agent", lambda live: image(live) == image(before), what="has its image again"
    )
    assert after["spec"] == before["spec"]


async def test_a_scaled_child_is_put_back(kube: KubeClient) -> None:
    await kube.apply(agent("writer"))
    await kube.until_exists("Deployment", "writer-agent")

    await kube.patch("Deployment", "writer-agent", {"spec": {"replicas": 7}})

    await kube.until_true(
        "Deployment", "writer-agent", lambda live: live["spec"]["replicas"] == 1, what="has one replica again"
    )


async def test_a_deleted_child_is_made_again(kube: KubeClient) -> None:
    await kube.apply(agent("writer"))
    before = await kube.until_exists("Deployment", "writer-agent")

    await kube.delete("Deployment", "writer-agent")

    await kube.until_made_anew(before)


async def test_a_child_deleted_while_the_watch_was_down_is_made_again(
    control_plane: ControlPlane, kube: KubeClient
) -> None:
    await kube.apply(agent("writer"))
    before = await kube.until_exists("Deployment", "writer-agent")
    await kube.until_condition("IsekAgent", "writer", "Ready", "False")

    async with control_plane.unreachable():
        await kube.delete("Deployment", "writer-agent")
        await kube.until_gone("Deployment", "writer-agent")

    after = await kube.until_exists("Deployment", "writer-agent", within=20)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]


async def test_a_field_that_is_no_longer_wished_for_goes(kube: KubeClient) -> None:
    await kube.apply(agent("writer", template={"nodeSelector": {"disk": "ssd"}}))
    await kube.until_true(
        "Deployment", "writer-agent", lambda live: live["spec"]["template"]["spec"]["nodeSelector"], what="has it"
    )

    await kube.apply(agent("writer"))

    await kube.until_true(
        "Deployment",
        "writer-agent",
        lambda live: "nodeSelector" not in live["spec"]["template"]["spec"],
        what="has it no more",
    )


async def test_what_others_add_to_a_child_is_left_alone(kube: KubeClient, operator: OperatorProcess) -> None:
    await kube.apply(agent("writer"))
    await kube.until_exists("Deployment", "writer-agent")

    changed = await kube.patch("Deployment", "writer-agent", {"metadata": {"annotations": {"team": "press"}}})
    await kube.patch("IsekAgent", "writer", {"metadata": {"annotations": {"looked": "at"}}})
    await operator.until_reconciled(1)

    after = await kube.get("Deployment", "writer-agent")
    assert after["metadata"]["resourceVersion"] == changed["metadata"]["resourceVersion"]


@pytest.mark.parametrize("kind", ["ConfigMap", "Service", "ServiceAccount", "Deployment"])
async def test_a_foreign_object_of_a_childs_name_is_left_alone_and_named(kube: KubeClient, kind: str) -> None:
    foreign = await kube.apply(FOREIGN[kind])
    await kube.apply(agent("writer"))

    told = await kube.until_condition("IsekAgent", "writer", "Ready", "False", reason="NameConflict")
    await kube.until_condition("IsekAgent", "writer", "Stalled", reason="NameConflict")
    [message] = [c["message"] for c in told["status"]["conditions"] if c["type"] == "Ready"]
    assert f"{kind} 'writer-agent'" in message
    assert await kube.get(kind, "writer-agent") == {**foreign, "apiVersion": FOREIGN[kind]["apiVersion"], "kind": kind}


async def test_a_foreign_object_that_is_changed_to_look_like_ours_is_left_alone_as_well(kube: KubeClient) -> None:
    await kube.apply({**FOREIGN["ConfigMap"], "metadata": {"name": "writer-agent", "labels": label()}})
    await kube.apply(agent("writer"))

    await kube.until_condition("IsekAgent", "writer", "Ready", "False", reason="NameConflict")
    assert (await kube.get("ConfigMap", "writer-agent"))["data"] == {"whose": "mine"}


async def test_once_the_foreign_object_is_gone_a_change_heals_the_agent(kube: KubeClient) -> None:
    await kube.apply(FOREIGN["ConfigMap"])
    await kube.apply(agent("writer"))
    await kube.until_condition("IsekAgent", "writer", "Ready", "False", reason="NameConflict")

    await kube.delete("ConfigMap", "writer-agent")
    await kube.apply(agent("writer", description="changed"))

    await kube.until_exists("Deployment", "writer-agent")
    await kube.until_true("IsekAgent", "writer", lambda live: not stalled(live), what="is not stalled")


async def test_a_child_that_the_api_server_refuses_is_named_with_its_reason(
    kube: KubeClient, operator: OperatorProcess
) -> None:
    await kube.apply(agent("writer", template={"affinity": {"nodeAffinity": "somewhere"}}))

    told = await kube.until_condition("IsekAgent", "writer", "Stalled", reason="ChildRejected")
    [message] = [c["message"] for c in told["status"]["conditions"] if c["type"] == "Ready"]
    assert "Deployment 'writer-agent'" in message
    assert "nodeAffinity" in message
    line = f"WARNING IsekAgent {kube.namespace}/writer: {message}\n"
    await until(lambda: line in operator.log.read_text(), what="the operator's log says so")

    await kube.apply(agent("writer"))
    await kube.until_exists("Deployment", "writer-agent")
    await kube.until_true("IsekAgent", "writer", lambda live: not stalled(live), what="is not stalled")


async def test_a_deleted_agent_leaves_nothing_behind(kube: KubeClient) -> None:
    await kube.apply(agent("writer"))
    await kube.until_exists("Deployment", "writer-agent")
    await kube.until_exists("StatefulSet", "default-etcd")

    await kube.delete("IsekAgent", "writer")

    await kube.until_gone("IsekMesh", "default")
    await until(lambda: nothing_of_ours(kube), within=30, what="all children are collected")


async def test_an_agent_that_is_deleted_and_made_again_at_once_gets_new_children(kube: KubeClient) -> None:
    await kube.apply(agent("writer"))
    before = await kube.until_exists("Deployment", "writer-agent")

    await kube.delete("IsekAgent", "writer")
    again = await kube.apply(agent("writer"))

    after = await kube.until_true(
        "Deployment",
        "writer-agent",
        lambda live: live["metadata"]["ownerReferences"][0]["uid"] == again["metadata"]["uid"],
        what="belongs to the new agent",
        within=30,
    )
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    await until(
        lambda: mesh_owns_its_children(kube), within=30, what="the new mesh has children", retry_on=(KubeError,)
    )


async def test_an_agent_that_moves_to_a_node_loses_its_own_pods_once_the_node_answers(kube: KubeClient) -> None:
    await kube.apply(node("shared"))
    await kube.apply(agent("writer"))
    await kube.until_exists("Deployment", "writer-agent")
    await kube.until_exists("StatefulSet", "default-etcd")
    await kube.mark_ready("StatefulSet", "default-etcd")

    await kube.apply(agent("writer", nodeRef={"name": "shared"}))
    await kube.until_true("Deployment", "shared-node", lambda live: live["metadata"]["generation"] > 1, what="changes")
    await kube.until_condition("IsekAgent", "writer", "Ready", "False")
    assert await kube.find("Deployment", "writer-agent") is not None

    await kube.mark_ready("Deployment", "shared-node")
    await kube.until_condition("IsekAgent", "writer", "Ready", reason="Hosted")
    for kind in ("Deployment", "ConfigMap", "Service", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy"):
        await kube.until_gone(kind, "writer-agent")


async def test_no_key_of_a_private_network_is_ever_written_twice(kube: KubeClient) -> None:
    await kube.apply(agent("writer"))
    before = await kube.until_exists("Secret", "default-p2p")
    await kube.apply(agent("editor"))
    await kube.until_exists("Deployment", "editor-agent")
    await kube.patch("IsekMesh", "default", {"spec": {"registry": {"ttlSeconds": 30}}})
    await kube.until_true(
        "IsekMesh",
        "default",
        lambda live: live["status"]["observedGeneration"] == live["metadata"]["generation"],
        what="was looked at",
    )

    assert (await kube.get("Secret", "default-p2p"))["data"] == before["data"]


async def test_a_key_that_is_deleted_is_made_anew_and_rolled_out(kube: KubeClient) -> None:
    await kube.apply(agent("writer"))
    await kube.apply(node("shared"))
    key = await kube.until_exists("Secret", "default-p2p")
    before = {name: await kube.until_exists("Deployment", name) for name in ("writer-agent", "shared-node")}

    await kube.delete("Secret", "default-p2p")

    anew = await kube.until_made_anew(key)
    assert anew["data"] != key["data"]
    for name, old in before.items():
        after = await kube.until_true("Deployment", name, other_config_than(old), what="rolls out")
        assert after["metadata"]["uid"] == old["metadata"]["uid"]


def other_config_than(old: Object) -> Callable[[Object], bool]:
    return lambda live: config_hash(live) != config_hash(old)


def config_hash(deployment: Object) -> str:
    return str(deployment["spec"]["template"]["metadata"]["annotations"]["isek.io/config-hash"])


def label() -> dict[str, str]:
    name, _, value = OURS.partition("=")
    return {name: value}


def stalled(live: Object) -> bool:
    return any(condition["type"] == "Stalled" for condition in live["status"]["conditions"])


async def mesh_owns_its_children(kube: KubeClient) -> bool:
    mesh, secret = await kube.get("IsekMesh", "default"), await kube.get("Secret", "default-p2p")
    stateful_set = await kube.get("StatefulSet", "default-etcd")
    owners = [child["metadata"]["ownerReferences"][0]["uid"] for child in (secret, stateful_set)]
    return owners == [mesh["metadata"]["uid"]] * 2


async def nothing_of_ours(kube: KubeClient) -> bool:
    left = [child for kind in CHILD_KINDS for child in await kube.list(kind, labels=OURS)]
    assert not left, [(child["kind"], child["metadata"]["name"]) for child in left]
    return True
