from typing import Any

import pytest
from isek_operator.decide.outcome import Manifest, OwnFate
from isek_operator.decide.reasons import Reason
from isek_operator.manifests.isek_mesh import MADE_BY_DEFAULT

from tests.unit.decide.scene import Scene, finding, kinds, types
from tests.unit.manifests.samples import agent, mesh, node, team

AROUND = ["ServiceAccount", "Service", "Service", "PodDisruptionBudget", "NetworkPolicy"]
ALL = [*AROUND, "ConfigMap", "StatefulSet"]
BY_DEFAULT = {MADE_BY_DEFAULT: "true"}


def remnant(kind: str, name: str, *, owned: bool = True, **metadata: Any) -> Manifest:
    """A pod or a volume claim of an etcd, as far as its metadata goes."""
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "default-etcd", "uid": "former"}
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "uid": f"uid-of-{name}",
            "labels": {"isek.io/mesh": "default"},
            **({"ownerReferences": [owner]} if owned else {}),
            **metadata,
        },
    }


def managed_by(manifest: Manifest, *managers: str) -> Manifest:
    fields = [{"manager": manager, "fieldsV1": {"f:spec": {}}} for manager in managers]
    return {**manifest, "metadata": {**manifest["metadata"], "managedFields": fields}}


def test_a_mesh_gets_an_etcd_and_the_key_of_its_private_network() -> None:
    outcome = Scene(mesh()).decide("IsekMesh", "default")

    assert kinds(outcome.wish) == ALL
    assert [each.manifest["metadata"]["name"] for each in outcome.secrets] == [
        "default-p2p",
        "default-etcd-ca",
        "default-etcd-server",
        "default-etcd-client",
        "default-etcd-root",
    ]
    assert outcome.status["endpoint"] == "default-etcd.newsroom.svc:2379"
    assert finding(outcome, "EtcdAvailable").reason is Reason.QUORUM_MISSING
    assert types(outcome) == {"Ready", "Reconciling", "EtcdAvailable", "ResolvedRefs"}


def test_a_mesh_without_p2p_needs_no_key() -> None:
    secrets = Scene(mesh(p2p={"enabled": False})).decide("IsekMesh", "default").secrets

    assert "default-p2p" not in [each.manifest["metadata"]["name"] for each in secrets]


@pytest.mark.parametrize(
    ("members", "answering", "available", "ready"),
    [(1, 0, False, False), (1, 1, True, True), (3, 1, False, False), (3, 2, True, False), (3, 3, True, True)],
)
def test_etcd_is_available_with_a_quorum_and_a_mesh_is_ready_with_all_members(
    members: int, answering: int, *, available: bool, ready: bool
) -> None:
    outcome = Scene(mesh(etcd={"replicas": members})).bring_about(
        "IsekMesh", "default", readyReplicas=answering, updatedReplicas=members
    )

    assert finding(outcome, "EtcdAvailable").status is available
    assert finding(outcome, "Ready").status is ready
    assert outcome.status["etcdReadyReplicas"] == answering


def test_a_missing_quorum_says_where_to_look() -> None:
    outcome = Scene(mesh(etcd={"replicas": 3})).bring_about("IsekMesh", "default", readyReplicas=1)

    assert finding(outcome, "EtcdAvailable").message == (
        "1 of 3 etcd members answer, 2 are needed; see kubectl describe pods -l isek.io/mesh=default"
    )


def test_a_new_image_rolls_out() -> None:
    scene = Scene(mesh())
    scene.bring_about("IsekMesh", "default")

    outcome = scene.put(mesh(etcd={"image": "registry.k8s.io/etcd:3.6.9-0"})).decide("IsekMesh", "default")

    assert outcome.doomed == ()
    assert finding(outcome, "Ready").reason is Reason.ROLLING_OUT
    assert finding(outcome, "EtcdAvailable").status


def test_other_volumes_make_the_etcd_anew_once_nothing_of_the_former_one_is_left() -> None:
    etcd = {"storage": {"size": "2Gi"}}
    scene = Scene(mesh())
    scene.bring_about("IsekMesh", "default")
    scene.put(
        mesh(etcd=etcd), remnant("Pod", "default-etcd-0"), remnant("PersistentVolumeClaim", "data-default-etcd-0")
    )

    ending = scene.decide("IsekMesh", "default")
    assert [(each.kind, each.name, each.uid) for each in ending.doomed] == [
        ("StatefulSet", "default-etcd", "uid-of-StatefulSet-default-etcd")
    ]
    assert kinds(ending.wish) == AROUND

    (stateful_set,) = scene.store.keys("StatefulSet")
    scene.store.drop(stateful_set, version=10**6)
    waiting = scene.decide("IsekMesh", "default")
    assert waiting.doomed == ()
    assert kinds(waiting.wish) == AROUND
    assert waiting.look_again_after == 1.0
    assert finding(waiting, "EtcdAvailable").reason is Reason.RECREATING
    assert finding(waiting, "Ready").message == (
        "the etcd of mesh 'default' is made anew, empty; nodes register again: "
        "waiting for Pod default-etcd-0, PersistentVolumeClaim data-default-etcd-0 to go"
    )

    for kind in ("Pod", "PersistentVolumeClaim"):
        for key in tuple(scene.store.keys(kind)):
            scene.store.drop(key, version=10**6)
    outcome = scene.decide("IsekMesh", "default")
    assert kinds(outcome.wish) == ALL
    assert outcome.look_again_after != 1.0


def test_an_etcd_scaled_by_hand_is_put_back_and_not_made_anew() -> None:
    scene = Scene(mesh(etcd={"replicas": 3}))
    wish = scene.bring_about("IsekMesh", "default").wish or ()
    edited = {**wish[-1], "spec": {**wish[-1]["spec"], "replicas": 5}}
    edited["metadata"] = {**edited["metadata"], "uid": "uid-of-StatefulSet-default-etcd"}

    outcome = scene.put(edited).decide("IsekMesh", "default")

    assert outcome.doomed == ()
    assert outcome.wish == wish


def test_pods_that_nobody_owns_any_more_are_taken_over_by_the_new_etcd() -> None:
    scene = Scene(mesh(), remnant("Pod", "default-etcd-0", owned=False))

    assert kinds(scene.decide("IsekMesh", "default").wish) == ALL


def test_pods_that_are_ending_are_waited_for() -> None:
    ending = remnant("Pod", "default-etcd-0", owned=False, deletionTimestamp="2026-01-01T00:00:00Z")

    assert kinds(Scene(mesh(), ending).decide("IsekMesh", "default").wish) == AROUND


def test_the_default_mesh_goes_with_its_last_user() -> None:
    by_default = mesh(labels=BY_DEFAULT)

    assert Scene(by_default).decide("IsekMesh", "default").fate is OwnFate.DELETE
    for user in (agent(), team("newsroom", {"agent": {"name": "x"}}), node()):
        assert Scene(by_default, user).decide("IsekMesh", "default").fate is OwnFate.KEEP


def test_a_mesh_that_a_user_made_stays_without_users() -> None:
    assert Scene(mesh()).decide("IsekMesh", "default").fate is OwnFate.KEEP


def test_a_default_mesh_whose_spec_somebody_else_owns_is_theirs() -> None:
    by_default = mesh(labels=BY_DEFAULT)

    ours = Scene(managed_by(by_default, "isek-operator"), agent())
    theirs = Scene(managed_by(by_default, "isek-operator", "kubectl-client-side-apply"))

    assert ours.decide("IsekMesh", "default").fate is OwnFate.KEEP
    assert theirs.decide("IsekMesh", "default").fate is OwnFate.ADOPT


def test_a_mesh_counts_who_has_pods_in_it() -> None:
    scene = Scene(mesh(), mesh("press"), node(), agent("a"), agent("b", nodeRef={"name": "shared"}))
    scene.put(agent("c", meshRef={"name": "press"}), team("d", {"agent": {"name": "a"}}))

    assert scene.decide("IsekMesh", "default").status["nodes"] == 3
    assert scene.decide("IsekMesh", "press").status["nodes"] == 1
