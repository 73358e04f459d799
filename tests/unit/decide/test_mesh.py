from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from isek.api.mesh import Etcd
from isek_operator.decide.etcd.membership import Admission, Membership
from isek_operator.decide.etcd.steps import RemoveMember, RestrictNodes
from isek_operator.decide.etcd.view import EtcdAccess, EtcdView
from isek_operator.decide.outcome import Manifest, Outcome, OwnFate
from isek_operator.decide.reasons import Reason
from isek_operator.keys import Key
from isek_operator.manifests.isek_mesh import MADE_BY_DEFAULT
from isek_operator.manifests.stateful_set import SHAPE_ANNOTATION

from tests.unit.decide.scene import Scene, finding, kinds, types, with_status
from tests.unit.manifests.samples import agent, mesh, node, team

AROUND = ["ServiceAccount", "Service", "Service", "PodDisruptionBudget", "NetworkPolicy"]
BEFORE = [*AROUND, "ConfigMap"]
ALL = [*BEFORE, "StatefulSet"]
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
    assert types(outcome) == {"Ready", "Reconciling", "EtcdAvailable", "NetworkKeyCurrent", "ResolvedRefs"}


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
        "1 of 3 etcd members answer, 2 are needed for a quorum; see kubectl describe pods -l isek.io/mesh=default"
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
    assert kinds(ending.wish) == BEFORE

    (stateful_set,) = scene.store.keys("StatefulSet")
    scene.store.drop(stateful_set, version=10**6)
    waiting = scene.decide("IsekMesh", "default")
    assert waiting.doomed == ()
    assert kinds(waiting.wish) == BEFORE
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


def claim(*, owned: bool) -> Manifest:
    return remnant("PersistentVolumeClaim", "data-default-etcd-0", owned=owned)


def keeping(size: str, when_deleted: str) -> Manifest:
    return mesh(etcd={"storage": {"size": size, "whenDeleted": when_deleted}})


def test_volumes_that_are_kept_are_not_taken_over_by_an_etcd_that_asks_for_others() -> None:
    scene = Scene(keeping("1Gi", "Retain"))
    before = scene.bring_about("IsekMesh", "default")
    scene.put(keeping("2Gi", "Retain"), claim(owned=False))

    outcome = scene.decide("IsekMesh", "default")

    assert outcome.doomed == ()
    assert outcome.wish == before.wish
    assert finding(outcome, "Stalled").reason is Reason.VOLUMES_KEPT
    assert "set spec.etcd.storage.whenDeleted to Delete" in finding(outcome, "Stalled").message
    assert finding(outcome, "EtcdAvailable").status


def test_an_etcd_that_speaks_no_tls_goes_though_its_volumes_stay() -> None:
    scene = Scene(keeping("1Gi", "Retain"))
    wish = scene.bring_about("IsekMesh", "default").wish or ()
    metadata = {**wish[-1]["metadata"], "annotations": {SHAPE_ANNOTATION: "1Gi"}, "uid": "uid-of-plain"}

    outcome = scene.put({**wish[-1], "metadata": metadata}).decide("IsekMesh", "default")

    assert [each.uid for each in outcome.doomed] == ["uid-of-plain"]


def test_volumes_that_were_kept_are_given_up_before_the_etcd_that_has_them_goes() -> None:
    scene = Scene(keeping("1Gi", "Retain"))
    scene.bring_about("IsekMesh", "default")
    scene.put(keeping("2Gi", "Delete"), claim(owned=False))

    giving_up = scene.decide("IsekMesh", "default")
    assert giving_up.doomed == ()
    assert giving_up.wish is not None
    spec = giving_up.wish[-1]["spec"]
    assert spec["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete"
    assert spec["volumeClaimTemplates"][0]["spec"]["resources"] == {"requests": {"storage": "1Gi"}}
    assert finding(giving_up, "Ready").reason is Reason.RECREATING

    scene.bring_about("IsekMesh", "default")
    assert scene.decide("IsekMesh", "default").doomed == (), "the claim is not yet the StatefulSet's"
    scene.put(claim(owned=True))
    assert [each.kind for each in scene.decide("IsekMesh", "default").doomed] == ["StatefulSet"]


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

    assert kinds(Scene(mesh(), ending).decide("IsekMesh", "default").wish) == BEFORE


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


def with_view(scene: Scene, **changes: Any) -> Scene:
    """The scene, with another word of its etcd."""
    view = scene.store.etcd("newsroom", "default")
    assert view is not None
    scene.store.put_etcd("newsroom", "default", replace(view, **changes))
    return scene


def settled(**etcd: Any) -> Scene:
    scene = Scene(mesh(etcd=etcd))
    scene.settle("IsekMesh", "default")
    return scene


def membership(outcome: Outcome) -> Membership:
    """What is written down."""
    (config_map,) = [each for each in outcome.wish or () if each["kind"] == "ConfigMap"]
    found = Membership.of(config_map)
    assert found is not None
    return found


def test_an_etcd_begins_with_one_member_and_grows_to_its_size() -> None:
    scene = Scene(mesh(etcd={"replicas": 5}))

    begins = scene.decide("IsekMesh", "default")
    assert begins.wish is not None
    assert begins.wish[-1]["spec"]["replicas"] == 1

    grown = scene.bring_about("IsekMesh", "default")
    assert grown.wish is not None
    assert grown.wish[-1]["spec"]["replicas"] == 5
    assert all(each.admission is Admission.JOINED for each in membership(grown).members)
    assert grown.etcd is not None
    assert grown.etcd.settled
    assert grown.etcd.endpoints[4] == ("default-etcd-4", "10.0.0.5:2379")
    assert grown.status["etcdVersion"] == "3.6.8"


def test_a_step_is_asked_for_and_told_in_the_conditions() -> None:
    scene = settled(replicas=1).put(mesh(etcd={"replicas": 3}))

    outcome = scene.decide("IsekMesh", "default")

    assert outcome.etcd_step is not None
    assert outcome.etcd_step.note == "adding default-etcd-1 as a learner"
    assert outcome.etcd is not None
    assert not outcome.etcd.settled
    assert finding(outcome, "Reconciling").reason is Reason.MEMBER_JOINING
    assert finding(outcome, "EtcdAvailable").status


def test_nodes_may_touch_the_keys_of_their_mesh_only() -> None:
    scene = with_view(settled(), granted=frozenset({"/isek/"}))

    outcome = scene.decide("IsekMesh", "default")

    assert outcome.etcd_step is not None
    assert outcome.etcd_step.action == RestrictNodes("/isek/newsroom.default/")


def test_an_image_that_skips_a_version_is_refused_and_the_running_one_stays() -> None:
    scene = settled().put(mesh(etcd={"image": "registry.k8s.io/etcd:3.8.0-0"}))

    outcome = scene.decide("IsekMesh", "default")

    assert outcome.wish is not None
    assert outcome.wish[-1]["spec"]["template"]["spec"]["containers"][0]["image"] == Etcd().image
    assert finding(outcome, "Stalled").reason is Reason.UPGRADE_REFUSED
    assert finding(outcome, "EtcdAvailable").status


def test_a_lost_quorum_is_given_up_after_five_minutes_and_looked_at_again_until_then() -> None:
    scene = settled(replicas=3)
    scene.bring_about("IsekMesh", "default", readyReplicas=1)
    scene.put(with_status(scene.manifest("IsekMesh", "default"), scene.decide("IsekMesh", "default")))

    scene.now += timedelta(seconds=200)
    waiting = scene.decide("IsekMesh", "default")
    assert waiting.look_again_after == 100.0
    assert finding(waiting, "Ready").reason is Reason.ETCD_UNREACHABLE

    scene.bring_about("IsekMesh", "default", readyReplicas=0)
    scene.now += timedelta(seconds=101)
    lost = scene.decide("IsekMesh", "default")
    assert finding(lost, "Ready").reason is Reason.RECREATING
    assert membership(lost).token == "uid-of-IsekMesh-default-2"
    assert lost.wish is not None
    assert lost.wish[-1]["spec"]["replicas"] == 1


def test_a_mesh_that_is_past_its_five_minutes_and_not_given_up_is_not_looked_at_all_the_time() -> None:
    scene = settled(replicas=3)
    scene.bring_about("IsekMesh", "default", readyReplicas=1)
    scene.put(with_status(scene.manifest("IsekMesh", "default"), scene.decide("IsekMesh", "default")))

    scene.now += timedelta(seconds=600)
    waiting = scene.decide("IsekMesh", "default")

    assert finding(waiting, "Ready").reason is Reason.ETCD_UNREACHABLE
    assert waiting.look_again_after is None or waiting.look_again_after > 60


def test_a_config_map_deleted_by_somebody_is_made_again_as_it_was() -> None:
    scene = settled(replicas=3)
    before = membership(scene.decide("IsekMesh", "default"))

    scene.drop("ConfigMap", "default-etcd")

    assert membership(scene.decide("IsekMesh", "default")) == before


def test_a_stateful_set_deleted_with_its_volumes_is_followed_by_an_empty_etcd() -> None:
    scene = settled(replicas=3)
    for ordinal in range(3):
        scene.drop("Pod", f"default-etcd-{ordinal}")
    scene.drop("StatefulSet", "default-etcd")

    assert membership(scene.decide("IsekMesh", "default")) == Membership.first("uid-of-IsekMesh-default-2")


def test_a_stateful_set_deleted_alone_takes_its_volumes_over() -> None:
    scene = settled(replicas=3)
    before = membership(scene.decide("IsekMesh", "default"))
    for ordinal in range(3):
        scene.drop("Pod", f"default-etcd-{ordinal}")
        scene.put(remnant("PersistentVolumeClaim", f"data-default-etcd-{ordinal}", owned=False))
    scene.drop("StatefulSet", "default-etcd")

    assert membership(scene.decide("IsekMesh", "default")) == before


@pytest.mark.parametrize("state", ["terminated", "waiting"])
def test_a_guard_that_refuses_to_start_a_member_tells_that_its_data_is_lost(state: str) -> None:
    scene = settled(replicas=3)
    view = scene.store.etcd("newsroom", "default")
    assert view is not None
    members = (*view.members[:2], replace(view.members[2], reachable=False, leader=0))
    refused = {"terminated": {"exitCode": 3, "message": "data lost"}}
    status = {"state": refused} if state == "terminated" else {"state": {"waiting": {}}, "lastState": refused}
    pod = scene.store.get(Key("Pod", "newsroom", "default-etcd-2"))
    assert pod is not None
    scene.put({**pod, "status": {"initContainerStatuses": [{"name": "guard", **status}]}})

    outcome = with_view(scene, members=members).decide("IsekMesh", "default")

    assert outcome.etcd_step is not None
    assert outcome.etcd_step.action == RemoveMember(102)


EXTERNAL = {"external": {"endpoints": ["https://etcd.example:2379"], "tlsSecret": {"name": "etcd-tls"}}}
CERTIFICATES = {"etcd-tls": ("ca.crt", "tls.crt", "tls.key")}


def external(view: EtcdView | None) -> Outcome:
    scene = Scene(mesh(etcd=EXTERNAL), secrets=CERTIFICATES)
    scene.store.put_etcd("newsroom", "default", view)
    return scene.decide("IsekMesh", "default")


def test_an_external_etcd_is_asked_as_nodes_do_and_never_touched() -> None:
    outcome = external(EtcdView(0.0, quorum=True))

    assert outcome.etcd == EtcdAccess(
        endpoints=(("etcd.example:2379", "etcd.example:2379"),),
        secret="etcd-tls",
        broken_prefix="/isek/newsroom.default/broken/",
        others_prefix="/isek/newsroom.default/nodes/",
        key="/isek/newsroom.default/",
        settled=True,
    )
    assert outcome.wish == ()
    assert outcome.etcd_step is None
    assert finding(outcome, "Ready").status
    assert finding(outcome, "EtcdAvailable").status


def test_an_external_etcd_that_does_not_answer_is_told_in_the_words_of_its_error() -> None:
    outcome = external(EtcdView(0.0, quorum=False, error="etcd.example:2379: connection refused"))

    assert finding(outcome, "EtcdAvailable").message.endswith("connection refused")
    assert finding(outcome, "Ready").reason is Reason.ETCD_UNREACHABLE
    assert not finding(external(None), "EtcdAvailable").status


@pytest.mark.parametrize("spec", [EXTERNAL, {"replicas": 3}], ids=["external", "managed"])
def test_an_operator_that_has_not_asked_yet_leaves_what_the_one_before_said(spec: Manifest) -> None:
    scene = Scene(mesh(etcd=spec), secrets=CERTIFICATES)
    scene.store.put_etcd("newsroom", "default", EtcdView(0.0, quorum=True))
    before = scene.settle("IsekMesh", "default")
    assert finding(before, "Ready").status

    scene.store.put_etcd("newsroom", "default", None)
    after = scene.decide("IsekMesh", "default")

    assert [finding(after, each) for each in ("Ready", "EtcdAvailable")] == [
        finding(before, each) for each in ("Ready", "EtcdAvailable")
    ]
    assert "Reconciling" not in types(after)
    assert after.etcd is not None
    assert not after.etcd.settled  # and it is asked soon
