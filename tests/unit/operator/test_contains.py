"""Whether a live object still holds a wish, defaults and other people's additions aside."""

from copy import deepcopy
from typing import Any

import pytest
from isek_operator.cluster.contains import contains

Manifest = dict[str, Any]


def deployment(**container: Any) -> Manifest:
    pod = {"containers": [{"name": "node", "image": "isek/node:1", **container}], "volumes": []}
    return {"metadata": {"name": "writer-agent"}, "spec": {"replicas": 1, "template": {"spec": pod}}}


def with_defaults(wish: Manifest) -> Manifest:
    live = deepcopy(wish)
    live["metadata"] |= {"uid": "u", "generation": 1}
    live["spec"] |= {"progressDeadlineSeconds": 600}
    live["spec"]["template"]["spec"].pop("volumes", None)
    live["spec"]["template"]["spec"]["containers"][0] |= {"imagePullPolicy": "IfNotPresent"}
    live["status"] = {"replicas": 1}
    return live


def test_defaults_and_status_are_nobodys_business() -> None:
    assert contains(with_defaults(deployment()), deployment())


def test_a_changed_value_is_seen() -> None:
    live = with_defaults(deployment())
    live["spec"]["replicas"] = 5
    assert not contains(live, deployment())


def test_a_removed_field_is_seen() -> None:
    live = with_defaults(deployment(args=["serve"]))
    del live["spec"]["template"]["spec"]["containers"][0]["args"]
    assert not contains(live, deployment(args=["serve"]))


def test_containers_are_found_by_name_and_a_further_one_is_left_alone() -> None:
    live = with_defaults(deployment())
    live["spec"]["template"]["spec"]["containers"].insert(0, {"name": "injected", "image": "mesh/proxy"})
    assert contains(live, deployment())


def test_an_environment_variable_is_found_by_name() -> None:
    wish = deployment(env=[{"name": "A", "value": "1"}])
    assert contains(with_defaults(deployment(env=[{"name": "B", "value": "2"}, {"name": "A", "value": "1"}])), wish)
    assert not contains(with_defaults(deployment(env=[{"name": "A", "value": "2"}])), wish)


@pytest.mark.parametrize("live", [["serve"], ["serve", "--fast", "x"], ["--fast", "serve"]])
def test_arguments_are_one_value(live: list[str]) -> None:
    assert not contains(with_defaults(deployment(args=live)), deployment(args=["serve", "--fast"]))


def test_ports_are_found_by_number_and_protocol() -> None:
    wish = deployment(ports=[{"name": "http", "containerPort": 8080}])
    live = [{"containerPort": 9000, "protocol": "TCP"}, {"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    assert contains(with_defaults(deployment(ports=live)), wish)
    assert not contains(with_defaults(deployment(ports=[{**live[1], "protocol": "UDP"}])), wish)


def test_the_ports_of_a_service_are_found_by_their_port() -> None:
    wish = {"spec": {"ports": [{"name": "peer", "port": 2380}, {"name": "client", "port": 2379}]}}
    live = {"port": 2379, "name": "client", "protocol": "TCP", "targetPort": 2379}
    assert not contains({"spec": {"ports": [live]}}, wish)
    assert contains({"spec": {"ports": [live, {**live, "port": 2380, "name": "peer"}]}}, wish)


def test_mounts_are_found_by_their_path() -> None:
    wish = deployment(volumeMounts=[{"name": "hosted", "mountPath": "/etc/isek"}])
    elsewhere = [{"name": "hosted", "mountPath": "/tmp/isek"}]
    assert not contains(with_defaults(deployment(volumeMounts=elsewhere)), wish)


def test_a_volume_of_another_sort_is_seen() -> None:
    wish, live = {"volumes": [{"name": "p2p", "emptyDir": {}}]}, {"volumes": [{"name": "p2p", "hostPath": {}}]}
    assert not contains(live, wish)
    assert contains({"volumes": [{"name": "p2p", "emptyDir": {"medium": "Memory"}}]}, wish)


def test_an_empty_list_and_none_are_the_same_as_nothing() -> None:
    assert contains({"spec": {}}, {"spec": {"tolerations": []}})
    assert not contains({"spec": {"tolerations": [{"operator": "Exists"}]}}, {"spec": {"tolerations": []}})


def test_true_is_not_one() -> None:
    assert not contains({"spec": {"replicas": True}}, {"spec": {"replicas": 1}})


def test_a_network_policy_that_lets_more_through_is_seen() -> None:
    rule = {"ports": [{"protocol": "TCP", "port": 53}]}
    spec = {"podSelector": {}, "egress": [rule]}
    wish = {"kind": "NetworkPolicy", "metadata": {"name": "a"}, "spec": spec}
    wider = [{"ports": [*rule["ports"], {"protocol": "TCP", "port": 22}]}]

    assert contains({**wish, "metadata": {"name": "a", "uid": "u"}}, wish)
    assert not contains({**wish, "spec": {"podSelector": {}, "egress": wider}}, wish)
    assert not contains({**wish, "spec": {**spec, "ingress": [{}]}}, wish)
