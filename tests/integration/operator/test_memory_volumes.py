"""The volume that is made for an agent's memory, as an API server takes it."""

from typing import Any

import pytest

from tests.integration.operator.resources import OURS, agent
from tests.support.control_plane import KubeClient
from tests.support.kube import Object

pytestmark = pytest.mark.usefixtures("operator")

CLAIM, NAME = "PersistentVolumeClaim", "writer-agent-memory"


def remembering(instructions: str = "", **storage: Any) -> Object:
    return agent(instructions=instructions, memory={"provider": "SQLite", "storage": storage})


def storage_class(name: str, *, grows: bool) -> Object:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "tests.isek.io/none",
        "allowVolumeExpansion": grows,
    }


def claim(name: str, **metadata: Any) -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": CLAIM, "metadata": {"name": name, **metadata}, "spec": spec}


def message(told: Object, type_: str = "Ready") -> str:
    [found] = [condition["message"] for condition in told["status"]["conditions"] if condition["type"] == type_]
    return str(found)


async def bind(kube: KubeClient) -> None:
    """Be the provisioner, as far as an API server can tell."""
    await kube.patch(CLAIM, NAME, {"spec": {"volumeName": f"{kube.namespace}-volume"}})
    await kube.patch(CLAIM, NAME, {"status": {"phase": "Bound"}}, subresource="status")


async def test_a_volume_is_made_and_goes_with_its_agent(kube: KubeClient) -> None:
    await kube.apply(agent(memory={"provider": "SQLite"}))

    made = await kube.until_exists(CLAIM, NAME)
    deployment = await kube.until_exists("Deployment", "writer-agent")
    assert made["spec"]["resources"]["requests"] == {"storage": "1Gi"}
    assert deployment["spec"]["strategy"]["type"] == "Recreate"
    told = await kube.until_true(
        "IsekAgent", "writer", lambda live: "is Pending" in message(live), what="names the volume that is waited for"
    )
    assert NAME in message(told)

    await kube.delete("IsekAgent", "writer")
    await kube.until_gone(CLAIM, NAME, within=30)


async def test_a_volume_goes_when_the_memory_is_kept_elsewhere(kube: KubeClient) -> None:
    await kube.apply(remembering())
    await kube.until_exists(CLAIM, NAME)

    await kube.apply(agent(memory={"provider": "InMemory"}))
    await kube.until_gone(CLAIM, NAME)


async def test_a_volume_that_is_to_be_kept_is_taken_over_by_the_next_of_the_name(kube: KubeClient) -> None:
    await kube.apply(remembering(whenDeleted="Retain"))
    kept = await kube.until_exists(CLAIM, NAME)
    assert "ownerReferences" not in kept["metadata"]
    await kube.delete("IsekAgent", "writer")
    await kube.until_gone("Deployment", "writer-agent", within=30)
    assert await kube.find(CLAIM, NAME) is not None

    await kube.apply(remembering(whenDeleted="Delete"))

    owned = await kube.until_true(CLAIM, NAME, lambda live: live["metadata"]["ownerReferences"], what="has an owner")
    assert owned["metadata"]["uid"] == kept["metadata"]["uid"]
    await kube.delete("IsekAgent", "writer")
    await kube.until_gone(CLAIM, NAME, within=30)


async def test_a_volume_that_goes_with_its_agent_can_still_be_kept(kube: KubeClient) -> None:
    await kube.apply(remembering())
    made = await kube.until_exists(CLAIM, NAME)

    await kube.apply(remembering(whenDeleted="Retain"))

    kept = await kube.until_true(
        CLAIM, NAME, lambda live: "ownerReferences" not in live["metadata"], what="belongs to nobody"
    )
    assert kept["metadata"]["uid"] == made["metadata"]["uid"]


async def test_a_claim_that_somebody_else_made_is_left_alone(kube: KubeClient) -> None:
    await kube.apply(claim(NAME))

    await kube.apply(remembering())

    told = await kube.until_condition("IsekAgent", "writer", "Stalled", reason="NameConflict")
    assert f"PersistentVolumeClaim {NAME!r} was not made by Isek" in message(told)
    assert "labels" not in (await kube.get(CLAIM, NAME))["metadata"]


async def test_a_missing_claim_of_ones_own_is_named_and_found(kube: KubeClient) -> None:
    await kube.apply(agent(memory={"provider": "SQLite", "claim": {"name": "mine"}}))
    told = await kube.until_condition("IsekAgent", "writer", "ResolvedRefs", "False", reason="ClaimNotFound")
    assert "PersistentVolumeClaim 'mine' does not exist" in message(told)

    await kube.apply(claim("mine"))

    await kube.until_condition("IsekAgent", "writer", "ResolvedRefs", within=40)
    deployment = await kube.until_exists("Deployment", "writer-agent")
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    assert {"name": "memory", "persistentVolumeClaim": {"claimName": "mine"}} in volumes
    assert await kube.list(CLAIM, labels=OURS) == []


async def test_a_volume_grows_where_its_class_lets_it(kube: KubeClient) -> None:
    await kube.apply(storage_class("grows", grows=True))
    await kube.apply(remembering(className="grows"))
    before = await kube.until_exists(CLAIM, NAME)
    await bind(kube)

    await kube.apply(remembering(className="grows", size="2Gi"))

    grown = await kube.until_true(
        CLAIM, NAME, lambda live: live["spec"]["resources"]["requests"]["storage"] == "2Gi", what="has grown"
    )
    assert grown["metadata"]["uid"] == before["metadata"]["uid"]


async def test_a_volume_that_may_not_grow_is_named_and_holds_up_nothing_else(kube: KubeClient) -> None:
    await kube.apply(storage_class("fixed", grows=False))
    await kube.apply(remembering(className="fixed"))
    await kube.until_exists(CLAIM, NAME)
    await bind(kube)

    await kube.apply(remembering("Be brief.", className="fixed", size="2Gi"))

    told = await kube.until_condition("IsekAgent", "writer", "Stalled", reason="ChildRejected")
    assert message(told).startswith(f"PersistentVolumeClaim {NAME!r} was refused by the API server")
    assert "Be brief." in (await kube.get("ConfigMap", "writer-agent"))["data"]["hosted.yaml"]
    assert (await kube.get("Deployment", "writer-agent"))["metadata"]["generation"] == 2

    await kube.apply(remembering("Be brief.", className="fixed"))
    await kube.until_true("IsekAgent", "writer", lambda live: "refused" not in message(live), what="has come back")


@pytest.mark.parametrize("asked", [{"size": "1Gi"}, {"size": "2Gi", "className": "other"}], ids=["size", "class"])
async def test_what_a_volume_cannot_become_is_said_and_it_stays(kube: KubeClient, asked: dict[str, str]) -> None:
    await kube.apply(remembering(className="first", size="2Gi"))
    before = await kube.until_exists(CLAIM, NAME)
    await kube.until_exists("StatefulSet", "default-etcd")
    for kind, name in (("StatefulSet", "default-etcd"), ("Deployment", "writer-agent")):
        await kube.mark_ready(kind, name)
    await kube.until_condition("IsekAgent", "writer", "Ready")

    await kube.apply(remembering("Be brief.", **{"className": "first", **asked}))
    await kube.until_true("Deployment", "writer-agent", lambda live: live["metadata"]["generation"] == 2, what="moves")
    await kube.mark_ready("Deployment", "writer-agent")

    told = await kube.until_condition("IsekAgent", "writer", "Stalled", reason="VolumesKept")
    assert message(told).startswith("spec.memory.storage asks for ")
    assert (await kube.get(CLAIM, NAME))["spec"] == before["spec"]
