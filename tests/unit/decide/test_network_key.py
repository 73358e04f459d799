"""The key of a mesh's private network that a user gives."""

from base64 import b64encode

import pytest
from isek.processes.network_key import fingerprints, new_private_network_key
from isek_operator.decide.outcome import Copied
from isek_operator.decide.reasons import Reason

from tests.unit.decide.scene import Scene, finding
from tests.unit.manifests.samples import NAMESPACE, agent, elsewhere, mesh

GIVEN = {"privateNetworkKey": {"secretName": "shared"}}
GROUND = {"name": "ground", "namespace": "infra"}


def with_key(scene: Scene, content: str, namespace: str = NAMESPACE) -> Scene:
    scene.store.put_read_secret(namespace, "shared", {"swarm.key": b64encode(content.encode()).decode()})
    return scene


def names(scene: Scene) -> list[str]:
    return [each.manifest["metadata"]["name"] for each in scene.decide("IsekMesh", "default").secrets]


def mounted(scene: Scene, agent_name: str = "researcher") -> dict[str, object]:
    wish = scene.decide("IsekAgent", agent_name).wish or ()
    (deployment,) = [each for each in wish if each["kind"] == "Deployment"]
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    (found,) = [each["secret"] for each in volumes if each["name"] == "p2p-key"]
    return {"secret": found["secretName"], "items": found["items"]}


def test_a_given_key_takes_the_place_of_one_that_is_made() -> None:
    key = new_private_network_key()
    scene = with_key(Scene(mesh(p2p=GIVEN), agent()), key)

    outcome = scene.settle("IsekMesh", "default")

    assert "default-p2p" not in names(scene)
    assert outcome.status["privateNetworkKeys"] == list(fingerprints(key))
    assert finding(outcome, "ResolvedRefs").status
    assert mounted(scene) == {"secret": "shared", "items": [{"key": "swarm.key", "path": "private-network.key"}]}


def test_a_key_that_is_not_there_is_named_with_the_command_that_makes_it() -> None:
    scene = Scene(mesh(p2p=GIVEN), agent())

    resolved = finding(scene.bring_about("IsekMesh", "default"), "ResolvedRefs")

    assert (resolved.status, resolved.reason) == (False, Reason.SECRET_NOT_FOUND)
    assert resolved.message == (
        "Secret 'shared' does not exist in namespace 'newsroom'; create it (kubectl create secret generic "
        "-n newsroom shared --from-literal=swarm.key="
        "\"$(printf '/key/swarm/psk/1.0.0/\\n/base16/\\n%s' $(openssl rand -hex 32))\"), "
        "or fix spec.p2p.privateNetworkKey"
    )
    waiting = finding(scene.decide("IsekAgent", "researcher"), "Ready")
    assert waiting.message.startswith("waiting for the key of the private network of mesh 'default'")


@pytest.mark.parametrize("content", ["", "secret", new_private_network_key()[:-9], new_private_network_key() + "x"])
def test_what_is_no_key_is_refused_before_a_sidecar_would(content: str) -> None:
    scene = with_key(Scene(mesh(p2p=GIVEN), agent()), content)

    outcome = scene.bring_about("IsekMesh", "default")

    resolved = finding(outcome, "ResolvedRefs")
    assert (resolved.status, resolved.reason) == (False, Reason.SECRET_INVALID)
    assert resolved.message.startswith("Secret 'shared': swarm.key is no private network key")
    assert finding(outcome, "Stalled").status
    assert finding(scene.decide("IsekAgent", "researcher"), "Ready").reason is Reason.MESH_NOT_READY


def test_a_copy_for_another_namespace_holds_the_given_key_and_follows_it() -> None:
    first, second = new_private_network_key(), new_private_network_key()
    ground = elsewhere(mesh("ground", allowedNamespaces={"from": "All"}, p2p=GIVEN), "infra")
    scene = with_key(Scene(ground, agent("writer", meshRef=GROUND)), first, "infra")
    (copy,) = scene.decide("IsekAgent", "writer").secrets
    assert isinstance(copy.content, Copied)
    assert copy.content.sources[0] == ("infra", "shared", "swarm.key")
    copied = dict.fromkeys(key for _, _, key in copy.content.sources)
    metadata = {**copy.manifest["metadata"], "uid": "uid-of-copy"}
    scene.put({**copy.manifest, "metadata": metadata, "data": copied})
    assert mounted(scene, "writer")["secret"] == "writer-agent-mesh"
    assert [each.renew for each in scene.decide("IsekAgent", "writer").secrets] == [False]

    with_key(scene, second + first, "infra")

    assert [each.renew for each in scene.decide("IsekAgent", "writer").secrets] == [True]


def test_a_mesh_without_p2p_asks_for_no_key() -> None:
    scene = Scene(mesh(p2p={"enabled": False, "privateNetworkKey": {"secretName": "shared"}}))

    outcome = scene.bring_about("IsekMesh", "default")

    assert finding(outcome, "ResolvedRefs").status
    assert outcome.status["privateNetworkKeys"] is None
