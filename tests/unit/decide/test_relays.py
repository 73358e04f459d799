from collections.abc import Mapping
from typing import Any

import pytest
from isek_operator.decide.outcome import Manifest, Outcome
from isek_operator.decide.reasons import Reason

from tests.unit.decide.scene import Scene, finding, live, types, with_status
from tests.unit.manifests.samples import agent, mesh

NODE_PORTS = {"type": "NodePort", "hosts": ["10.0.0.7"]}
ELSEWHERE = "/ip4/192.0.2.4/tcp/30000/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"


def relayed(replicas: int, **relays: Any) -> Manifest:
    return mesh(p2p={"relays": {"replicas": replicas, "service": NODE_PORTS, **relays}})


def with_relays(wanted: Manifest) -> Scene:
    """A mesh whose etcd answers, and whose relays all do."""
    scene = Scene(mesh())
    scene.settle("IsekMesh", "default")
    scene.put(wanted)
    run(scene)
    say(scene)
    return scene


def run(scene: Scene, *only: str, **status: Any) -> Outcome:
    """Make what is wished for of the relays come true: first their Services, then what follows from these."""
    for _ in range(2):
        for manifest in scene.decide("IsekMesh", "default").wish or ():
            name = manifest["metadata"]["name"]
            if manifest["kind"] in {"Service", "Deployment"} and "-relay-" in name and (not only or name in only):
                scene.put(allocated(live(manifest, **status)))
    return scene.decide("IsekMesh", "default")


def say(scene: Scene) -> None:
    """Write the status of the mesh."""
    scene.put(with_status(scene.manifest("IsekMesh", "default"), scene.decide("IsekMesh", "default")))


def allocated(manifest: Manifest) -> Manifest:
    """With the port that an API server gives to a Service."""
    if manifest["kind"] != "Service" or manifest["spec"]["type"] == "ClusterIP":
        return manifest
    port = 30000 + int(manifest["metadata"]["name"][-1])
    return {
        **manifest,
        "spec": {**manifest["spec"], "ports": [{**each, "nodePort": port} for each in manifest["spec"]["ports"]]},
    }


def named(outcome: Outcome, kind: str) -> list[str]:
    return [each["metadata"]["name"] for each in outcome.wish or () if each["kind"] == kind and "relay" in str(each)]


def deployment(outcome: Outcome, number: int) -> Manifest:
    (found,) = [
        each
        for each in outcome.wish or ()
        if each["kind"] == "Deployment" and each["metadata"]["name"] == f"default-relay-{number}"
    ]
    return found


def environment(manifest: Manifest) -> Mapping[str, str]:
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


def relays_file(scene: Scene, name: str) -> list[str]:
    (config_map,) = [
        each
        for each in scene.decide("IsekAgent", name).wish or ()
        if each["metadata"]["name"] == f"{name}-agent" and each["kind"] == "ConfigMap"
    ]
    return str(config_map["data"]["relays"]).splitlines()


def test_a_mesh_that_asks_for_none_has_none_and_says_nothing_about_them() -> None:
    outcome = with_relays(mesh()).decide("IsekMesh", "default")

    assert named(outcome, "Service") == named(outcome, "Deployment") == []
    assert "RelaysAvailable" not in types(outcome)
    assert outcome.status["relays"] == []


def test_each_relay_has_an_identity_a_service_and_a_deployment_of_its_own() -> None:
    outcome = with_relays(relayed(2)).decide("IsekMesh", "default")

    assert named(outcome, "Service") == named(outcome, "Deployment") == ["default-relay-0", "default-relay-1"]
    assert [each.manifest["metadata"]["name"] for each in outcome.secrets][-2:] == [
        "default-relay-0",
        "default-relay-1",
    ]
    assert finding(outcome, "RelaysAvailable").reason is Reason.ALL_RELAYS_READY
    assert finding(outcome, "Ready").status


def test_a_relay_is_started_once_its_address_is_known_and_announces_it() -> None:
    scene = with_relays(mesh()).put(relayed(1))
    before = scene.decide("IsekMesh", "default")

    assert named(before, "Deployment") == []
    assert finding(before, "RelaysAvailable").reason is Reason.RELAY_WITHOUT_ADDRESS
    assert "Service 'default-relay-0' has no address yet" in finding(before, "RelaysAvailable").message

    after = run(scene)
    (address,) = after.status["relays"]
    assert address.startswith("/ip4/10.0.0.7/tcp/30000/p2p/12D3KooW")
    assert environment(deployment(after, 0))["ISEK_P2P_ANNOUNCE"] == address


@pytest.mark.parametrize(
    ("service", "status", "begins"),
    [
        ({"type": "ClusterIP"}, {}, ["/dns/default-relay-0.newsroom.svc/tcp/9000/p2p/"]),
        (
            {"type": "NodePort", "hosts": ["a.example", "fd00::1"]},
            {},
            ["/dns/a.example/tcp/30000/p2p/", "/ip6/fd00::1/tcp/30000/p2p/"],
        ),
        ({"type": "LoadBalancer"}, {"ingress": [{"ip": "192.0.2.1"}]}, ["/ip4/192.0.2.1/tcp/9000/p2p/"]),
        ({"type": "LoadBalancer"}, {"ingress": [{"hostname": "lb.example"}]}, ["/dns/lb.example/tcp/9000/p2p/"]),
        (
            {"type": "LoadBalancer"},
            {"ingress": [{"ip": f"192.0.2.{number}"} for number in range(109, 99, -1)]},
            [f"/ip4/192.0.2.{number}/tcp/9000/p2p/" for number in range(100, 108)],
        ),
        ({"type": "LoadBalancer"}, {}, []),
        ({"type": "LoadBalancer", "hosts": ["relay.example"]}, {}, ["/dns/relay.example/tcp/9000/p2p/"]),
    ],
)
def test_where_a_relay_is_reached_follows_from_its_service(
    service: dict[str, Any], status: dict[str, Any], begins: list[str]
) -> None:
    scene = with_relays(mesh()).put(relayed(1, service=service))
    (wished,) = [
        each for each in scene.decide("IsekMesh", "default").wish or () if "relay-0" in each["metadata"]["name"]
    ]
    scene.put({**allocated(live(wished)), "status": {"loadBalancer": status}})

    found = scene.decide("IsekMesh", "default").status.get("relays", [])

    assert [address.rpartition("/")[0] + "/" for address in found] == begins


def test_relays_are_replaced_one_after_the_other_and_only_while_the_others_answer() -> None:
    scene = with_relays(relayed(3))
    scene.put(relayed(3, resources={"limits": {"memory": "1Gi"}}))

    first = scene.decide("IsekMesh", "default")
    assert named(first, "Deployment") == ["default-relay-0"]
    assert first.kept == (("Deployment", "default-relay-1"), ("Deployment", "default-relay-2"))
    assert finding(first, "Ready").reason is Reason.RELAYS_NOT_READY

    still = run(scene, "default-relay-0", readyReplicas=0)
    assert named(still, "Deployment") == ["default-relay-0"]

    second = run(scene, "default-relay-0")
    assert named(second, "Deployment") == ["default-relay-0", "default-relay-1"]


def test_a_relay_that_does_not_answer_is_replaced_at_once_and_before_those_that_do() -> None:
    scene = with_relays(relayed(2))
    run(scene, "default-relay-1", readyReplicas=0)
    scene.put(relayed(2, resources={"limits": {"memory": "1Gi"}}))

    outcome = scene.decide("IsekMesh", "default")

    assert named(outcome, "Deployment") == ["default-relay-1"]
    assert outcome.kept == (("Deployment", "default-relay-0"),)


def test_a_relay_that_has_lost_its_address_stays_as_it_is() -> None:
    scene = with_relays(relayed(1)).drop("Service", "default-relay-0")

    outcome = scene.decide("IsekMesh", "default")

    assert named(outcome, "Deployment") == []
    assert outcome.kept == (("Deployment", "default-relay-0"),)


def test_one_of_several_that_answers_is_enough_to_be_available_and_not_to_be_ready() -> None:
    scene = with_relays(relayed(2))
    outcome = run(scene, "default-relay-1", readyReplicas=0)

    assert finding(outcome, "RelaysAvailable").status
    assert finding(outcome, "Ready").reason is Reason.RELAYS_NOT_READY
    assert finding(outcome, "Ready").message.startswith("1 of 2 relays answer")


def test_workloads_are_told_of_all_relays_without_another_pod() -> None:
    scene = with_relays(mesh()).put(agent("writer"))
    before = scene.decide("IsekAgent", "writer")
    assert relays_file(scene, "writer") == ["# none"]

    scene.put(relayed(1, addresses=[ELSEWHERE]))
    run(scene)
    say(scene)

    own, elsewhere = relays_file(scene, "writer")
    assert own.startswith("/ip4/10.0.0.7/tcp/30000/p2p/")
    assert elsewhere == ELSEWHERE
    after = scene.decide("IsekAgent", "writer")
    assert (before.wish or ())[-1] == (after.wish or ())[-1]
    assert (before.wish or ())[-1]["kind"] == "Deployment"
