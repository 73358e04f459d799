import pytest
from isek_operator.manifests.network_policy import relays_network_policy, workload_network_policy
from isek_operator.manifests.p2p_container import p2p_container
from isek_operator.manifests.pod import pod_template
from isek_operator.manifests.pod_disruption_budget import relays_disruption_budget
from isek_operator.manifests.relay import endpoint_of, known_relays, relay_addresses
from isek_operator.manifests.relay_deployment import relay_deployment
from isek_operator.manifests.secret import relay_secret
from isek_operator.manifests.service import etcd_outside_service, relay_service
from isek_operator.manifests.service_account import relays_service_account

from tests.support.policies import Network, Pod
from tests.unit.manifests.samples import (
    NAMESPACE,
    SETTINGS,
    a_mesh,
    agent,
    breaches_of_restricted,
    dedicated,
    environment,
    valid,
)

ADDRESS = "/ip4/10.0.0.7/tcp/30000/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"
NODE_PORTS = {"type": "NodePort", "hosts": ["10.0.0.7"]}
RELAYED = a_mesh(p2p={"relays": {"replicas": 2, "service": NODE_PORTS}})
RELAY = valid(relay_deployment(RELAYED, 1, (ADDRESS,), ("uid",), SETTINGS))


def test_a_relay_runs_under_the_profile_restricted() -> None:
    assert list(breaches_of_restricted(RELAY["spec"]["template"]["spec"])) == []
    assert valid(relays_service_account(RELAYED))["automountServiceAccountToken"] is False


def test_a_relay_has_its_own_identity_and_the_key_of_the_network() -> None:
    (container,) = RELAY["spec"]["template"]["spec"]["containers"]

    assert container["args"] == ["relay"]
    assert environment(container) == {
        "ISEK_P2P_ANNOUNCE": ADDRESS,
        "ISEK_P2P_IDENTITY_FILE": "/etc/isek/identity/identity.key",
        "ISEK_P2P_PRIVATE_NETWORK_KEY_FILE": "/etc/isek/p2p/private-network.key",
    }
    assert [each["secret"]["secretName"] for each in RELAY["spec"]["template"]["spec"]["volumes"]] == [
        "default-relay-1",
        "default-p2p",
    ]
    assert relay_secret(RELAYED, 1).manifest["metadata"]["name"] == "default-relay-1"


def test_a_network_key_of_the_users_is_the_relays_too() -> None:
    given = a_mesh(p2p={"relays": {"replicas": 1}, "privateNetworkKey": {"secretName": "world"}})
    _, key = relay_deployment(given, 0, (ADDRESS,), (), SETTINGS)["spec"]["template"]["spec"]["volumes"]

    assert key["secret"]["secretName"] == "world"
    assert key["secret"]["items"] == [{"key": "swarm.key", "path": "private-network.key"}]


def test_no_two_pods_have_one_identity_and_its_end_is_no_other_ones_business() -> None:
    assert (RELAY["spec"]["replicas"], RELAY["spec"]["strategy"]) == (1, {"type": "Recreate"})
    assert valid(relays_disruption_budget(RELAYED))["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("change", ["address", "identity"])
def test_what_a_relay_reads_at_its_start_makes_it_start_anew(change: str) -> None:
    other = relay_deployment(RELAYED, 1, (ADDRESS, ADDRESS) if change == "address" else (ADDRESS,), (change,), SETTINGS)

    assert other["spec"]["template"]["metadata"] != RELAY["spec"]["template"]["metadata"]


def test_each_service_leads_to_one_relay() -> None:
    service = valid(relay_service(RELAYED, 1))

    assert service["spec"]["type"] == "NodePort"
    assert service["spec"]["selector"].items() <= RELAY["spec"]["template"]["metadata"]["labels"].items()
    assert service["spec"]["selector"] != relay_service(RELAYED, 0)["spec"]["selector"]
    assert [each["port"] for each in service["spec"]["ports"]] == [9000, 9003]


def test_a_relay_is_announced_at_its_port_for_tcp_whatever_the_order_of_ports() -> None:
    service = valid(relay_service(RELAYED, 1))
    numbered = [{**each, "nodePort": 30000 + each["port"]} for each in reversed(service["spec"]["ports"])]

    (address,) = relay_addresses(RELAYED, {**service, "spec": {**service["spec"], "ports": numbered}}, "12D3")

    assert address == "/ip4/10.0.0.7/tcp/39000/p2p/12D3"


def test_a_service_is_annotated_for_whoever_makes_load_balancers() -> None:
    wanted = {"type": "LoadBalancer", "annotations": {"example.com/internal": "true"}}
    service = valid(relay_service(a_mesh(p2p={"relays": {"replicas": 1, "service": wanted}}), 0))

    assert service["metadata"]["annotations"] == {"example.com/internal": "true"}


def test_an_etcd_is_reached_from_outside_by_a_service_of_its_own() -> None:
    exposed = a_mesh(etcd={"expose": {"type": "NodePort", "names": ["10.0.0.7"]}})
    assert exposed.spec.etcd.expose is not None

    service = valid(etcd_outside_service(exposed, exposed.spec.etcd.expose))

    assert (service["metadata"]["name"], service["spec"]["type"]) == ("default-etcd-outside", "NodePort")
    assert service["spec"]["selector"] == {"isek.io/mesh": "default"}


def test_everybody_comes_to_a_relay_which_goes_to_nobody() -> None:
    relay = Pod(NAMESPACE, RELAY["spec"]["template"]["metadata"]["labels"])
    workload = dedicated(agent(), RELAYED)
    asker = Pod(NAMESPACE, pod_template(workload, SETTINGS)["metadata"]["labels"])
    policies = [valid(relays_network_policy(RELAYED)), valid(workload_network_policy(workload, SETTINGS))]
    network = Network(policies, {})

    assert network.allows(asker, relay, 9000, "TCP")
    assert network.allows("192.0.2.9", relay, 9000, "TCP")
    assert network.allows("192.0.2.9", relay, 9003, "TCP")
    assert not network.allows("192.0.2.9", relay, 9002, "TCP")
    assert not network.allows(relay, asker, 9000, "TCP")
    assert not network.allows(relay, "192.0.2.9", 443, "TCP")


@pytest.mark.parametrize(
    ("relay", "target", "port"),
    [
        (ADDRESS, "10.0.0.7", 30000),
        (ADDRESS.replace("/ip4/10.0.0.7", "/dns/relay.example.org"), "203.0.114.9", 30000),
    ],
)
def test_a_relay_elsewhere_is_reached_at_its_port_alone(relay: str, target: str, port: int) -> None:
    def network(*addresses: str) -> tuple[Network, Pod]:
        workload = dedicated(agent(), a_mesh(p2p={"relays": {"addresses": list(addresses)}}))
        policy = valid(workload_network_policy(workload, SETTINGS))
        return Network([policy], {}), Pod(NAMESPACE, pod_template(workload, SETTINGS)["metadata"]["labels"])

    with_it, pod = network(relay)
    without, same_pod = network()

    assert with_it.allows(pod, target, port, "TCP")
    assert not with_it.allows(pod, target, port + 1, "TCP")
    assert not without.allows(same_pod, target, port, "TCP")


def test_the_sidecar_is_told_where_the_relays_stand_and_no_pod_hangs_on_them() -> None:
    pods = [pod_template(dedicated(agent(), mesh), SETTINGS) for mesh in (RELAYED, a_mesh())]

    assert pods[0] == pods[1]
    assert pods[0]["spec"]["volumes"][3] == {
        "name": "relays",
        "configMap": {"name": "researcher-agent", "items": [{"key": "relays", "path": "relays"}]},
    }
    sidecar = p2p_container(SETTINGS)
    assert {"name": "ISEK_P2P_RELAYS_FILE", "value": "/etc/isek/relays/relays"} in sidecar["env"]
    assert {"name": "relays", "mountPath": "/etc/isek/relays", "readOnly": True} in sidecar["volumeMounts"]


def test_a_relay_of_both_lists_is_known_once() -> None:
    own = a_mesh(p2p={"relays": {"addresses": [ADDRESS]}})
    told = own.model_copy(update={"status": own.status.model_copy(update={"relays": (ADDRESS,)})})

    assert known_relays(told) == (ADDRESS,)


@pytest.mark.parametrize(("port", "found"), [("30000", ("10.0.0.7", 30000)), ("99999", None), ("0", None)])
def test_where_a_multiaddr_leads(port: str, found: tuple[str, int] | None) -> None:
    assert endpoint_of(ADDRESS.replace("30000", port)) == found
