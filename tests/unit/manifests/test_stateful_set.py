import pytest
from isek_operator.decide.outcome import Manifest
from isek_operator.manifests.etcd import etcd_shape
from isek_operator.manifests.stateful_set import SHAPE_ANNOTATION, TRUST_ANNOTATION, USER_PART

from tests.unit.manifests.samples import ETCD_IMAGE, SETTINGS, a_mesh, an_etcd, breaches_of_restricted, valid


def built(members: int = 3, *, trust: str = "abc", **etcd: object) -> Manifest:
    return an_etcd(a_mesh(etcd={"replicas": 5, **etcd}), members=members, trust=trust)


@pytest.mark.parametrize("members", [1, 3])
def test_the_stateful_set_is_valid_and_restricted(members: int) -> None:
    stateful_set = valid(built(members))

    assert stateful_set["spec"]["replicas"] == members
    assert list(breaches_of_restricted(stateful_set["spec"]["template"]["spec"])) == []


def test_a_change_of_the_members_leaves_those_that_run_as_they_are() -> None:
    assert built(1)["spec"]["template"] == built(5)["spec"]["template"]


def test_the_operator_alone_says_when_a_member_is_replaced() -> None:
    spec = built()["spec"]

    assert spec["updateStrategy"] == {"type": "OnDelete"}
    assert spec["podManagementPolicy"] == "Parallel"


def test_members_know_each_other_by_the_names_that_the_headless_service_gives_them() -> None:
    assert built()["spec"]["serviceName"] == "default-etcd-peers"


def test_the_guard_looks_at_the_volume_before_etcd_does() -> None:
    pod = built()["spec"]["template"]["spec"]
    (guard,), (etcd,) = pod["initContainers"], pod["containers"]

    assert guard["image"] == SETTINGS.operator_image
    assert guard["args"] == ["/etc/etcd/$(POD_NAME).json", "/etc/etcd/$(POD_NAME).admission"]
    assert {"name": "data", "mountPath": "/var/lib/etcd"} in guard["volumeMounts"], "it makes room there"
    assert etcd["image"] == ETCD_IMAGE
    assert etcd["command"] == ["etcd"], "the image has no shell"
    assert etcd["args"] == ["--config-file=/etc/etcd/$(POD_NAME).json"]


def test_images_are_pulled_with_the_secrets_of_the_mesh() -> None:
    pods = [each["spec"]["template"] for each in (built(), built(imagePullSecrets=[{"name": "registry"}]))]

    assert [pod["spec"].get("imagePullSecrets") for pod in pods] == [None, [{"name": "registry"}]]
    assert pods[0]["metadata"]["annotations"][USER_PART] != pods[1]["metadata"]["annotations"][USER_PART]


def test_pods_say_whom_they_trust_since_that_is_read_at_start() -> None:
    annotations = [built(trust=trust)["spec"]["template"]["metadata"]["annotations"] for trust in ("abc", "def")]

    assert [each[TRUST_ANNOTATION] for each in annotations] == ["abc", "def"]


def test_volumes_go_with_the_etcd_and_carry_the_name_of_the_mesh() -> None:
    spec = built(storage={"size": "2048Mi", "className": "fast"})["spec"]
    (claim,) = spec["volumeClaimTemplates"]

    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Delete", "whenScaled": "Delete"}
    assert claim["metadata"]["labels"]["isek.io/mesh"] == "default"
    assert claim["spec"]["resources"] == {"requests": {"storage": "2Gi"}}
    assert claim["spec"]["storageClassName"] == "fast"


def test_a_lost_quorum_takes_members_out_of_the_service_and_restarts_none() -> None:
    container = built()["spec"]["template"]["spec"]["containers"][0]

    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["startupProbe"]["httpGet"]["path"] == "/livez"


def test_members_are_spread_over_machines() -> None:
    (spread,) = built()["spec"]["template"]["spec"]["topologySpreadConstraints"]

    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "DoNotSchedule")


def test_the_shape_tells_what_an_etcd_was_made_as() -> None:
    shapes = {
        etcd_shape(a_mesh(etcd=etcd))
        for etcd in (
            {},
            {"storage": {"size": "2Gi"}},
            {"storage": {"className": "fast"}},
        )
    }

    assert len(shapes) == 3
    assert etcd_shape(a_mesh(etcd={"storage": {"size": "1024Mi"}})) == etcd_shape(a_mesh())
    assert built()["metadata"]["annotations"][SHAPE_ANNOTATION] == "tls/1Gi"


@pytest.mark.parametrize("change", [{"image": "registry.k8s.io/etcd:3.6.9-0"}, {"replicas": 5}])
def test_an_image_and_the_number_of_members_can_change_without_a_new_etcd(change: dict[str, object]) -> None:
    assert etcd_shape(a_mesh(etcd=change)) == etcd_shape(a_mesh())


def test_volumes_stay_where_the_mesh_says_so() -> None:
    policy = built(storage={"whenDeleted": "Retain"})["spec"]["persistentVolumeClaimRetentionPolicy"]

    assert policy == {"whenDeleted": "Retain", "whenScaled": "Delete"}
