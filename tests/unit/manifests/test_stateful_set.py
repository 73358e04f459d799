import re

import pytest
from isek_operator.manifests.etcd import etcd_shape
from isek_operator.manifests.stateful_set import SHAPE_ANNOTATION, etcd_stateful_set

from tests.unit.manifests.samples import a_mesh, breaches_of_restricted, valid

THREE = a_mesh(etcd={"replicas": 3})


def flags(members: int = 3) -> dict[str, str]:
    container = etcd_stateful_set(a_mesh(etcd={"replicas": members}))["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == ["etcd"], "the image has no shell"
    return dict(re.fullmatch("--([a-z-]+)=(.*)", each).groups() for each in container["args"])  # type: ignore[union-attr,misc]


@pytest.mark.parametrize("members", [1, 3])
def test_the_stateful_set_is_valid_and_restricted(members: int) -> None:
    built = valid(etcd_stateful_set(a_mesh(etcd={"replicas": members})))

    assert built["spec"]["replicas"] == members
    assert list(breaches_of_restricted(built["spec"]["template"]["spec"])) == []


def test_members_find_each_other_by_the_names_that_the_headless_service_gives_them() -> None:
    peers = [
        f"default-etcd-{ordinal}=http://default-etcd-{ordinal}.default-etcd-peers.newsroom.svc:2380"
        for ordinal in range(3)
    ]
    given = flags()

    assert etcd_stateful_set(THREE)["spec"]["serviceName"] == "default-etcd-peers"
    assert given["initial-cluster"] == ",".join(peers)
    own = f"{given['name']}={given['initial-advertise-peer-urls']}".replace("$(POD_NAME)", "default-etcd-1")
    assert own == peers[1]


def test_members_start_together_since_none_is_ready_alone() -> None:
    assert etcd_stateful_set(THREE)["spec"]["podManagementPolicy"] == "Parallel"


def test_what_a_former_etcd_left_is_never_taken_for_ones_own() -> None:
    one, three = flags(1), flags(3)

    for flag in ("data-dir", "initial-cluster-token"):
        assert one[flag].endswith("uid-of-IsekMesh-default-1")
        assert three[flag].endswith("uid-of-IsekMesh-default-3")


def test_volumes_go_with_the_etcd_and_carry_the_name_of_the_mesh() -> None:
    spec = etcd_stateful_set(a_mesh(etcd={"storage": {"size": "2048Mi", "className": "fast"}}))["spec"]
    (claim,) = spec["volumeClaimTemplates"]

    assert spec["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete"
    assert claim["metadata"]["labels"]["isek.io/mesh"] == "default"
    assert claim["spec"]["resources"] == {"requests": {"storage": "2Gi"}}
    assert claim["spec"]["storageClassName"] == "fast"


def test_a_lost_quorum_takes_members_out_of_the_service_and_restarts_none() -> None:
    container = etcd_stateful_set(THREE)["spec"]["template"]["spec"]["containers"][0]

    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["startupProbe"]["httpGet"]["path"] == "/livez"


def test_members_are_spread_over_machines() -> None:
    (spread,) = etcd_stateful_set(THREE)["spec"]["template"]["spec"]["topologySpreadConstraints"]

    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "DoNotSchedule")


def test_the_shape_tells_what_an_etcd_was_made_as() -> None:
    shapes = {
        etcd_shape(a_mesh(etcd=etcd))
        for etcd in (
            {"replicas": 1},
            {"replicas": 3},
            {"storage": {"size": "2Gi"}},
            {"storage": {"className": "fast"}},
        )
    }

    assert len(shapes) == 4
    assert etcd_shape(a_mesh(etcd={"storage": {"size": "1024Mi"}})) == etcd_shape(a_mesh())
    assert etcd_stateful_set(THREE)["metadata"]["annotations"] == {SHAPE_ANNOTATION: "3x1Gi"}


def test_an_image_can_change_without_a_new_etcd() -> None:
    assert etcd_shape(a_mesh(etcd={"image": "registry.k8s.io/etcd:3.6.9-0"})) == etcd_shape(a_mesh())
