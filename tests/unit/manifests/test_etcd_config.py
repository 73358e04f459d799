import json
from typing import Any

from isek_operator.decide.etcd.membership import Admission, Member, Membership
from isek_operator.manifests.etcd_config import etcd_config_map

from tests.unit.manifests.samples import a_mesh, valid

FIRST = Membership.first("token-1")
THREE = Membership(
    "token-1", (Member("", Admission.JOINED), Member("b2", Admission.JOINED), Member("c3", Admission.NEW))
)


def configuration(membership: Membership, ordinal: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(etcd_config_map(a_mesh(), membership)["data"][f"default-etcd-{ordinal}.json"])
    return found


def url(ordinal: int, port: int = 2380) -> str:
    return f"https://default-etcd-{ordinal}.default-etcd-peers.newsroom.svc:{port}"


def test_what_is_known_of_the_members_is_written_down_beside_their_configuration() -> None:
    config_map = valid(etcd_config_map(a_mesh(), THREE))

    assert Membership.of(config_map) == THREE
    assert {name for name in config_map["data"] if name.endswith(".json")} == {
        f"default-etcd-{ordinal}.json" for ordinal in range(3)
    }
    assert [config_map["data"][f"default-etcd-{ordinal}.admission"] for ordinal in range(3)] == [
        "Joined",
        "Joined",
        "New",
    ]


def test_a_member_that_joins_is_told_of_no_one_who_was_removed_since_etcd_counts() -> None:
    gone = Membership("token-1", (*THREE.members[:1], Member("b2", Admission.REMOVED), *THREE.members[2:]))

    assert configuration(gone, 2)["initial-cluster"] == f"default-etcd-0={url(0)},default-etcd-2={url(2)}"


def test_the_first_member_makes_the_cluster_alone() -> None:
    first = configuration(FIRST, 0)

    assert first["initial-cluster-state"] == "new"
    assert first["initial-cluster"] == f"default-etcd-0={url(0)}"
    assert first["initial-advertise-peer-urls"] == url(0)
    assert first["advertise-client-urls"] == url(0, 2379)


def test_the_others_join_those_that_are_there() -> None:
    third = configuration(THREE, 2)

    assert third["initial-cluster-state"] == "existing"
    assert third["initial-cluster"] == ",".join(f"default-etcd-{ordinal}={url(ordinal)}" for ordinal in range(3))


def test_what_another_cluster_or_another_member_left_is_never_taken_for_its_own() -> None:
    folders = {
        configuration(membership, 0)["data-dir"]
        for membership in (FIRST, Membership.first("token-2"), Membership("token-2", (Member("a1", Admission.NEW),)))
    }

    assert folders == {
        "/var/lib/etcd/token-1/first",
        "/var/lib/etcd/token-2/first",
        "/var/lib/etcd/token-2/a1",
    }


def test_nobody_is_let_in_without_a_certificate_and_only_members_on_the_peer_port() -> None:
    first = configuration(FIRST, 0)

    for side in ("client", "peer"):
        assert first[f"{side}-transport-security"]["client-cert-auth"]
        assert first[f"listen-{side}-urls"].startswith("https://")
    assert first["peer-transport-security"]["allowed-cn"] == ["isek-etcd-member"]
