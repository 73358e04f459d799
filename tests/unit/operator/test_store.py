"""The store: the newest observation wins, whichever way it comes."""

from typing import Any

from isek.api import Resource
from isek_operator.keys import Key
from isek_operator.store import Store

from tests.unit.manifests.samples import ECHO

Manifest = dict[str, Any]


def config_map(name: str = "writer-agent", *, version: int, owner: str = "uid-1", value: str = "x") -> Manifest:
    reference = {"apiVersion": "isek.io/v1alpha1", "kind": "IsekAgent", "name": "writer", "uid": owner}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": "newsroom",
            "uid": f"{name}-uid",
            "resourceVersion": str(version),
            "ownerReferences": [{**reference, "controller": True}],
            "managedFields": [{"manager": "isek-operator"}],
        },
        "data": {"hosted.yaml": value},
    }


def agent(name: str = "writer", *, version: int = 1, created: str = "2026-01-01T00:00:00Z", **more: Any) -> Manifest:
    return {
        "apiVersion": "isek.io/v1alpha1",
        "kind": "IsekAgent",
        "metadata": {
            "name": name,
            "namespace": "newsroom",
            "uid": f"{name}-uid",
            "generation": 1,
            "resourceVersion": str(version),
            "creationTimestamp": created,
            **more.pop("metadata", {}),
        },
        "spec": {"model": ECHO},
        **more,
    }


KEY = Key("ConfigMap", "newsroom", "writer-agent")


def test_an_older_event_does_not_overwrite_the_answer_of_a_write() -> None:
    store = Store()
    store.put(config_map(version=10, value="written"))

    assert store.put(config_map(version=9, value="of old")) is None
    assert store.put(config_map(version=10, value="its echo")) is None
    [child] = store.children("uid-1")
    assert child["data"] == {"hosted.yaml": "written"}


def test_a_deletion_of_a_predecessor_does_not_remove_the_successor() -> None:
    store = Store()
    store.put(config_map(version=12))

    assert store.drop(KEY, version=11) is None
    assert store.get(KEY) is not None


def test_the_late_answer_of_a_write_does_not_bring_back_what_was_deleted_meanwhile() -> None:
    store = Store()
    store.put(config_map(version=10))
    assert store.drop(KEY, version=15) is not None

    assert store.put(config_map(version=12)) is None
    assert store.get(KEY) is None
    assert store.put(config_map(version=16)) is not None


def test_a_list_drops_what_it_does_not_hold_and_keeps_what_is_younger_than_it() -> None:
    store = Store()
    store.put(config_map("deleted-meanwhile", version=10))
    store.put(config_map("still-there", version=11))
    store.put(config_map("made-since", version=30))

    still_there = Key("ConfigMap", "newsroom", "still-there")
    changes = store.absent("ConfigMap", [still_there], version=20, namespaces=())

    assert [change.key.name for change in changes] == ["deleted-meanwhile"]
    assert sorted(key.name for key in store.keys("ConfigMap")) == ["made-since", "still-there"]


def test_a_list_of_one_namespace_says_nothing_about_another() -> None:
    store = Store()
    store.put(config_map(version=10))

    assert store.absent("ConfigMap", [], version=20, namespaces=["elsewhere"]) == []
    assert store.get(KEY) is not None


def test_a_child_that_changes_its_owner_is_found_by_the_new_one_only() -> None:
    store = Store()
    store.put(config_map(version=10, owner="uid-1"))
    store.put(config_map(version=11, owner="uid-2"))

    assert store.children("uid-1") == []
    assert len(store.children("uid-2")) == 1


def test_resources_come_oldest_first_and_by_name_within_a_second() -> None:
    store = Store()
    store.put(agent("young", created="2026-01-01T00:00:09Z"))
    store.put(agent("b", created="2026-01-01T00:00:01Z"))
    store.put(agent("a", created="2026-01-01T00:00:01Z"))

    assert [resource.name for resource in store.resources("IsekAgent", "newsroom")] == ["a", "b", "young"]


def test_a_resource_that_is_being_deleted_is_not_there_for_others() -> None:
    store = Store()
    store.put(agent(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}))

    assert store.resource("IsekAgent", "newsroom", "writer") is None
    assert list(store.resources("IsekAgent", "newsroom")) == []


def test_a_resource_that_does_not_parse_says_which_field_is_wrong() -> None:
    store = Store()
    store.put(agent(spec={"model": {"provider": "Abacus"}}))

    complaint = store.parsed(Key("IsekAgent", "newsroom", "writer"))
    assert isinstance(complaint, str)
    assert complaint.startswith("spec.model.provider: ")
    assert store.resource("IsekAgent", "newsroom", "writer") is None


def test_a_resource_is_parsed_once_per_version() -> None:
    store = Store()
    store.put(agent(version=1))
    first = store.resource("IsekAgent", "newsroom", "writer")

    assert isinstance(first, Resource)
    assert store.resource("IsekAgent", "newsroom", "writer") is first
    store.put(agent(version=2))
    assert store.resource("IsekAgent", "newsroom", "writer") is not first


def test_a_secret_is_known_by_its_keys_and_its_values_are_not_kept() -> None:
    store = Store()
    metadata = {"name": "openai", "namespace": "newsroom", "uid": "u", "resourceVersion": "3"}
    store.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"api-key": "c2VjcmV0"}})

    assert store.secret("newsroom", "openai") == {"api-key": None}
    assert "c2VjcmV0" not in repr(store.get(Key("Secret", "newsroom", "openai")))


def test_a_secret_that_was_read_by_name_is_known_until_it_was_missing() -> None:
    store = Store()
    assert store.secret("newsroom", "openai") is None
    store.put_read_secret("newsroom", "openai", {"api-key": "c2VjcmV0", "tls.crt": "cHVibGlj"})
    assert store.secret("newsroom", "openai") == {"api-key": None, "tls.crt": "cHVibGlj"}
    store.put_read_secret("newsroom", "openai", None)
    assert store.secret("newsroom", "openai") is None


def test_only_those_who_own_a_part_of_the_spec_are_its_managers() -> None:
    store = Store()
    fields = [
        {"manager": "isek-operator", "operation": "Apply", "fieldsV1": {"f:metadata": {}, "f:spec": {"f:etcd": {}}}},
        {"manager": "kubectl-label", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {}}}},
        {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:p2p": {}}}},
        {"manager": "a-status", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
    ]
    store.put({**agent(metadata={"managedFields": fields}), "kind": "IsekMesh", "spec": {}})

    assert store.spec_managers("IsekMesh", "newsroom", "writer") == {"isek-operator", "kubectl-edit"}


def test_of_a_pod_only_its_metadata_and_how_it_is_are_kept() -> None:
    store = Store()
    metadata = {"name": "default-etcd-0", "namespace": "newsroom", "uid": "u", "resourceVersion": "3"}
    labels = {"isek.io/mesh": "default"}
    identity = {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "labels": labels}}
    status = {"phase": "Running", "podIP": "10.0.0.7"}
    told = {**status, "hostIP": "10.0.0.1"}
    store.put({**identity, "spec": {"containers": []}, "status": told})

    [pod] = store.labelled("Pod", "newsroom", "isek.io/mesh", "default")
    assert pod == {**identity, "status": status}
    assert list(store.labelled("Pod", "newsroom", "isek.io/mesh", "other")) == []


def test_certificates_of_a_secret_are_kept_and_its_keys_are_not() -> None:
    store = Store()
    metadata = {"name": "default-etcd-server", "namespace": "newsroom", "uid": "u", "resourceVersion": "3"}
    data = {"tls.crt": "Y2VydGlmaWNhdGU=", "tls.key": "c2VjcmV0"}
    change = store.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})

    assert change is not None
    assert change.new is not None
    assert change.new["data"] == {"tls.crt": "Y2VydGlmaWNhdGU=", "tls.key": None}


def test_who_refers_to_an_object_is_known_also_before_that_is_there_and_no_longer_than_it_does() -> None:
    store = Store()
    store.put(agent(version=1, spec={"model": ECHO, "nodeRef": {"name": "shared"}}))
    assert [each.name for each in store.referrers("IsekNode", "newsroom", "shared")] == ["writer"]

    store.put(agent(version=2, spec={"model": ECHO, "nodeRef": {"name": "other"}}))
    assert list(store.referrers("IsekNode", "newsroom", "shared")) == []
    assert [each.name for each in store.referrers("IsekNode", "newsroom", "other")] == ["writer"]

    store.drop(Key("IsekAgent", "newsroom", "writer"), version=3)
    assert list(store.referrers("IsekNode", "newsroom", "other")) == []


def test_one_that_refers_twice_to_the_same_and_goes_is_forgotten() -> None:
    store = Store()
    store.put(agent(version=1, spec={"model": ECHO, "tools": [{"agent": {"name": "a"}}, {"agent": {"name": "a"}}]}))

    store.drop(Key("IsekAgent", "newsroom", "writer"), version=2)

    assert list(store.referrers("IsekAgent", "newsroom", "a")) == []


def test_what_has_come_and_gone_leaves_no_more_than_the_version_at_which_it_went() -> None:
    store = Store()
    agents = [agent(metadata={"namespace": f"guest-{number}"}) for number in range(3)]
    for each in agents:
        store.put(each)
        store.put(config_map(version=2, owner=each["metadata"]["uid"]))
    for each in agents:
        store.drop(Key("IsekAgent", each["metadata"]["namespace"], "writer"), version=3)
    store.drop(KEY, version=3)

    assert {name for name, table in vars(store).items() if table} == {"_clock", "_gone"}
    for kind in ("IsekAgent", "ConfigMap"):
        store.absent(kind, [], version=4, namespaces=())
    assert not store._gone
