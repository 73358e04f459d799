"""The key of a mesh's private network, in real Secrets."""

import secrets

import pytest
from isek.processes.network_key import fingerprints, new_private_network_key

from tests.integration.operator.resources import agent, mesh
from tests.support.kube import KubeClient, Object

pytestmark = pytest.mark.usefixtures("operator")

GIVEN = {"privateNetworkKey": {"secretName": "shared"}}


def given(content: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "shared", "labels": {"isek.io/watch": "true"}},
        "stringData": {"swarm.key": content},
    }


async def test_a_users_key_is_asked_for_checked_and_mounted(kube: KubeClient) -> None:
    key = new_private_network_key()
    await kube.apply(mesh("default", p2p=GIVEN))
    await kube.apply(agent("writer"))
    told = await kube.until_condition("IsekMesh", "default", "ResolvedRefs", "False", reason="SecretNotFound")
    assert "kubectl create secret generic" in str(told)

    await kube.apply(given(secrets.token_hex(32)))
    told = await kube.until_condition("IsekMesh", "default", "ResolvedRefs", "False", reason="SecretInvalid")

    await kube.apply(given(key))
    found = await kube.until_condition("IsekMesh", "default", "ResolvedRefs", "True")
    deployment = await kube.until_exists("Deployment", "writer-agent")

    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    assert [each["secret"]["secretName"] for each in volumes if each["name"] == "p2p-key"] == ["shared"]
    assert found["status"]["privateNetworkKeys"] == list(fingerprints(key))
    assert key.split()[-1] not in str(found)
    assert await kube.find("Secret", "default-p2p") is None


async def test_a_made_key_that_somebody_removes_by_hand_is_named_and_made_again_once_its_secret_is_deleted(
    kube: KubeClient,
) -> None:
    await kube.apply(mesh("default"))
    await kube.until_condition("IsekMesh", "default", "NetworkKeyCurrent", "True")

    await kube.patch("Secret", "default-p2p", {"data": {"private-network.key": None}})

    told = await kube.until_condition("IsekMesh", "default", "NetworkKeyCurrent", "False", reason="SecretInvalid")
    assert "Secret 'default-p2p' holds no private network key" in str(told)
    await kube.until_condition("IsekMesh", "default", "ResolvedRefs", "False", reason="SecretInvalid")

    await kube.delete("Secret", "default-p2p")

    await kube.until_condition("IsekMesh", "default", "NetworkKeyCurrent", "True")
    await kube.until_condition("IsekMesh", "default", "ResolvedRefs", "True")
