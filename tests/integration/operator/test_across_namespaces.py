"""A mesh of another namespace: granted, withdrawn, and its credentials copied to where they are used."""

import base64
import secrets
from collections.abc import Callable

import pytest

from tests.integration.operator.resources import CHILD_KINDS, OURS, agent, mesh, node, team
from tests.support.control_plane import ControlPlane, KubeClient
from tests.support.kube import Object
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("operator")

KEY = "private-network.key"
ALL = {"from": "All"}
COPIES = {"IsekAgent": "writer-agent-mesh", "IsekNode": "writer-node-mesh"}


@pytest.fixture
async def infra(control_plane: ControlPlane) -> KubeClient:
    """A client for the namespace that the mesh lives in."""
    name = f"infra-{secrets.token_hex(4)}"
    await control_plane.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return control_plane.kube.in_namespace(name)


def ground(infra: KubeClient) -> Object:
    """How users name the mesh."""
    return {"name": "ground", "namespace": infra.namespace}


def message(told: Object, type_: str = "ResolvedRefs") -> str:
    [found] = [condition["message"] for condition in told["status"]["conditions"] if condition["type"] == type_]
    return str(found)


def value(secret: Object, key: str = KEY) -> bytes:
    return base64.b64decode(secret["data"][key])


@pytest.mark.parametrize("make", [agent, node], ids=["IsekAgent", "IsekNode"])
async def test_a_grant_brings_pods_and_a_copy_of_the_key_and_its_end_takes_both_away(
    kube: KubeClient, infra: KubeClient, make: Callable[..., Object]
) -> None:
    user = make("writer", meshRef=ground(infra))
    kind, copy = user["kind"], COPIES[user["kind"]]
    await infra.apply(mesh("ground"))
    await kube.apply(user)
    told = await kube.until_condition(kind, "writer", "ResolvedRefs", "False", reason="MeshNotAllowed")
    assert f"IsekMesh 'ground' of namespace '{infra.namespace}' lets in resources of its own namespace only" in (
        message(told)
    )
    assert await kube.list("Deployment") == []

    await infra.apply(mesh("ground", allowedNamespaces=ALL))
    await kube.until_condition(kind, "writer", "ResolvedRefs")
    copied = await kube.until_exists("Secret", copy)
    assert value(copied) == value(await infra.get("Secret", "ground-p2p"))
    assert copied["metadata"]["ownerReferences"][0]["name"] == "writer"
    await kube.until_exists("Deployment", copy.removesuffix("-mesh"))
    await infra.until_true("IsekMesh", "ground", lambda live: live["status"]["nodes"] == 1, what="counts its user")

    await infra.apply(mesh("ground", allowedNamespaces={"from": "Same"}))
    await kube.until_condition(kind, "writer", "Ready", "False", reason="MeshNotAllowed")
    await kube.until_gone("Secret", copy)
    await kube.until_gone("Deployment", copy.removesuffix("-mesh"))
    await infra.until_true("IsekMesh", "ground", lambda live: live["status"]["nodes"] == 0, what="counts nobody")


async def test_a_namespace_is_selected_by_its_labels_as_they_change(
    control_plane: ControlPlane, kube: KubeClient, infra: KubeClient
) -> None:
    selector = {"matchLabels": {"team": "press"}}
    await infra.apply(mesh("ground", allowedNamespaces={"from": "Selector", "selector": selector}))
    await kube.apply(agent("writer", meshRef=ground(infra)))
    told = await kube.until_condition("IsekAgent", "writer", "ResolvedRefs", "False", reason="MeshNotAllowed")
    assert f"does not select namespace '{kube.namespace}'" in message(told)

    await control_plane.kube.patch("Namespace", kube.namespace, {"metadata": {"labels": {"team": "press"}}})
    await kube.until_condition("IsekAgent", "writer", "ResolvedRefs")
    await kube.until_exists("Deployment", "writer-agent")

    await control_plane.kube.patch("Namespace", kube.namespace, {"metadata": {"labels": {"team": None}}})
    await kube.until_condition("IsekAgent", "writer", "ResolvedRefs", "False", reason="MeshNotAllowed")
    await kube.until_gone("Secret", "writer-agent-mesh")


async def test_the_copy_follows_the_key_of_the_mesh(kube: KubeClient, infra: KubeClient) -> None:
    await infra.apply(mesh("ground", allowedNamespaces=ALL))
    await kube.apply(agent("writer", meshRef=ground(infra)))
    before = value(await kube.until_exists("Secret", "writer-agent-mesh"))
    old = await kube.until_exists("Deployment", "writer-agent")

    await infra.delete("Secret", "ground-p2p")

    after = await kube.until_true("Secret", "writer-agent-mesh", lambda live: value(live) != before, what="is new")
    assert value(after) == value(await infra.get("Secret", "ground-p2p"))
    await kube.until_true(
        "Deployment", "writer-agent", lambda live: config_hash(live) != config_hash(old), what="rolls out the new key"
    )


async def test_the_copy_follows_the_certificate_that_nodes_show_to_etcd(kube: KubeClient, infra: KubeClient) -> None:
    await infra.apply(mesh("ground", allowedNamespaces=ALL))
    await kube.apply(agent("writer", meshRef=ground(infra)))
    before = value(await kube.until_exists("Secret", "writer-agent-mesh"), "tls.crt")

    await infra.delete("Secret", "ground-etcd-client")

    after = await kube.until_true(
        "Secret", "writer-agent-mesh", lambda live: value(live, "tls.crt") != before, what="has the new one"
    )
    source = await infra.get("Secret", "ground-etcd-client")
    assert {key: value(after, key) for key in source["data"]} == {key: value(source, key) for key in source["data"]}


async def test_a_copy_that_was_deleted_or_emptied_comes_back(kube: KubeClient, infra: KubeClient) -> None:
    await infra.apply(mesh("ground", allowedNamespaces=ALL))
    await kube.apply(agent("writer", meshRef=ground(infra)))
    before = await kube.until_exists("Secret", "writer-agent-mesh")

    await kube.patch("Secret", "writer-agent-mesh", {"data": {KEY: None}})
    await kube.until_true("Secret", "writer-agent-mesh", lambda live: value(live) == value(before), what="has its key")

    await kube.delete("Secret", "writer-agent-mesh")
    await kube.until_exists("Secret", "writer-agent-mesh")


async def test_nothing_is_left_of_a_deleted_user_of_a_mesh_elsewhere(kube: KubeClient, infra: KubeClient) -> None:
    await infra.apply(mesh("ground", allowedNamespaces=ALL))
    await kube.apply(agent("writer", meshRef=ground(infra)))
    await kube.until_exists("Secret", "writer-agent-mesh")
    await kube.until_exists("Deployment", "writer-agent")

    await kube.delete("IsekAgent", "writer")

    async def nothing_left() -> bool:
        left = [each for kind in CHILD_KINDS for each in await kube.list(kind, labels=OURS)]
        return not left

    await until(nothing_left, within=20, what="nothing is left")
    await infra.until_true("IsekMesh", "ground", lambda live: live["status"]["nodes"] == 0, what="counts nobody")


async def test_a_member_of_another_namespace_is_found_when_it_comes(kube: KubeClient, infra: KubeClient) -> None:
    await infra.apply(mesh("ground", allowedNamespaces=ALL))
    members = [{"agent": {"name": "editor", "namespace": infra.namespace}}]
    await kube.apply({**team("newsroom"), "spec": {"members": members, "meshRef": ground(infra)}})
    told = await kube.until_condition("IsekTeam", "newsroom", "ResolvedRefs", "False", reason="AgentNotFound")
    assert f"IsekAgent 'editor' does not exist in namespace '{infra.namespace}'" in message(told)

    await infra.apply(agent("editor", meshRef={"name": "ground"}))
    await kube.until_condition("IsekTeam", "newsroom", "ResolvedRefs")


def config_hash(deployment: Object) -> str:
    return str(deployment["spec"]["template"]["metadata"]["annotations"]["isek.io/config-hash"])
