"""What the policies allow and refuse, judged by the rules of the API."""

from typing import Any

import pytest
from isek.api import IsekMesh
from isek_operator.decide.destinations import POSTGRESQL, Address, Destination, Pods, Public
from isek_operator.decide.outcome import Manifest
from isek_operator.manifests.network_policy import etcd_network_policy, workload_network_policy
from isek_operator.manifests.pod import pod_template
from isek_operator.settings import OperatorSettings

from tests.support.policies import Network, Pod
from tests.unit.manifests.samples import NAMESPACE, SETTINGS, agent, an_etcd, dedicated, elsewhere, mesh, parsed, valid

DNS = Pod("kube-system", {"k8s-app": "kube-dns"})
OPENSHIFT_DNS = Pod("openshift-dns", {"dns.operator.openshift.io/daemonset-dns": "default"})
STRANGER = Pod("lab", {"app": "curious"})
OPERATOR = Pod("isek-system", {"app.kubernetes.io/name": "isek-operator"})
PRESS = {"from": "Selector", "selector": {"matchExpressions": [{"key": "team", "operator": "In", "values": ["press"]}]}}


def a_mesh(name: str = "default", namespace: str = NAMESPACE, **spec: Any) -> IsekMesh:
    found = parsed(elsewhere(mesh(name, **spec), namespace))
    assert isinstance(found, IsekMesh)
    return found


class Town:
    """The pods and policies of a mesh with two agents, of one elsewhere, and of strangers."""

    def __init__(self, *destinations: Destination, namespace: str = NAMESPACE, **spec: Any) -> None:
        self.mesh, self.foreign = a_mesh(**spec), a_mesh("ground", "infra")
        workloads = [
            dedicated(elsewhere(agent("asker"), namespace), self.mesh, destinations=destinations),
            dedicated(agent("writer"), self.mesh),
            dedicated(elsewhere(agent("far"), "infra"), self.foreign),
        ]
        self.asker, self.writer, self.far = (
            Pod(each.namespace, pod_template(each, SETTINGS)["metadata"]["labels"]) for each in workloads
        )
        self.etcd, self.far_etcd = (
            Pod(each.namespace, an_etcd(each)["spec"]["template"]["metadata"]["labels"])
            for each in (self.mesh, self.foreign)
        )
        policies = [valid(workload_network_policy(each, SETTINGS)) for each in workloads]
        policies += [valid(etcd_network_policy(each, SETTINGS)) for each in (self.mesh, self.foreign)]
        self.network = Network(policies, {"press": {"team": "press"}, "lab": {"team": "lab"}})

    def allows(self, source: Pod | str, target: Pod | str, port: int, protocol: str = "TCP") -> bool:
        return self.network.allows(source, target, port, protocol)


def test_a_node_reaches_its_etcd_its_peers_and_dns() -> None:
    town = Town()

    assert town.allows(town.asker, town.etcd, 2379)
    assert town.allows(town.asker, town.writer, 9000)
    assert town.allows(town.asker, DNS, 53)
    assert town.allows(town.asker, DNS, 53, "UDP")
    assert town.allows(town.asker, "169.254.20.10", 53, "UDP")


def test_names_are_asked_for_on_openshift_whose_dns_listens_on_another_port() -> None:
    town = Town()

    for source in (town.asker, town.etcd):
        for protocol in ("UDP", "TCP"):
            assert town.allows(source, OPENSHIFT_DNS, 5353, protocol)
        assert not town.allows(source, OPENSHIFT_DNS, 443)
        assert not town.allows(source, DNS, 5353, "UDP")


def test_names_are_asked_for_where_pods_ask_though_no_pod_answers_there() -> None:
    """NodeLocal DNSCache takes over the address of the Service; Cloud DNS of GKE is no pod either."""
    settings = OperatorSettings(dns_servers="10.96.0.10,fd00::a")  # as in the environment
    town = Town()
    policies = [workload_network_policy(dedicated(agent("asker"), town.mesh), settings)]
    network = Network([*policies, etcd_network_policy(town.mesh, settings)])

    for source in (town.asker, town.etcd):
        assert not town.allows(source, "10.96.0.10", 53)
        for server in ("10.96.0.10", "fd00::a"):
            assert network.allows(source, server, 53, "UDP")
            assert not network.allows(source, server, 443)


def test_a_node_reaches_nothing_else() -> None:
    town = Town()

    assert not town.allows(town.asker, town.etcd, 2380)
    assert not town.allows(town.asker, town.far_etcd, 2379)
    assert not town.allows(town.asker, town.far, 9000)
    assert not town.allows(town.asker, town.writer, 9001)
    assert not town.allows(town.asker, STRANGER, 80)
    assert not town.allows(town.asker, DNS, 443)
    assert not town.allows(town.asker, "10.0.0.1", 443)
    assert not town.allows(town.asker, "93.184.216.34", 443)
    assert not town.allows(town.asker, "169.254.169.254", 80)


def test_without_libp2p_peers_ask_each_other_over_http() -> None:
    town = Town(p2p={"enabled": False})

    assert town.allows(town.asker, town.writer, 8080)
    assert not town.allows(town.asker, town.writer, 9000)


def test_where_http_is_the_last_path_peers_of_other_namespaces_are_reached_by_it_too() -> None:
    shared = {"allowedNamespaces": {"from": "All"}, "p2p": {"fallback": "HTTP"}}
    town, without = Town(namespace="lab", **shared), Town(namespace="lab", allowedNamespaces={"from": "All"})

    assert all(town.allows(town.asker, town.writer, port) for port in (8080, 9000))
    assert not without.allows(without.asker, without.writer, 8080)


def test_over_http_a_node_is_reached_from_its_own_namespace_and_its_metrics_from_everywhere_inside() -> None:
    town = Town()

    for port in (8080, 8082):
        assert town.allows(Pod(NAMESPACE), town.writer, port)
        assert not town.allows(STRANGER, town.writer, port)
    assert not town.allows(STRANGER, town.writer, 9000)
    assert town.allows(STRANGER, town.writer, 9002)
    assert not town.allows("10.0.0.7", town.writer, 9002)


def test_etcd_is_reached_by_its_mesh_and_by_the_operator_alone() -> None:
    town = Town()

    assert town.allows(OPERATOR, town.etcd, 2379)
    assert not town.allows(Pod(NAMESPACE, {"app": "curious"}), town.etcd, 2379)
    assert not town.allows(STRANGER, town.etcd, 2379)
    assert not town.allows(town.far, town.etcd, 2379)
    assert not town.allows(OPERATOR, town.etcd, 2380)
    assert town.allows(STRANGER, town.etcd, 2381)


def test_an_operator_that_knows_its_namespace_is_let_in_from_there_alone() -> None:
    settings = SETTINGS.model_copy(update={"lease_namespace": "isek-system"})
    town = Town()
    network = Network([etcd_network_policy(town.mesh, settings)])

    assert network.allows(OPERATOR, town.etcd, 2379)
    assert not network.allows(Pod("lab", OPERATOR.labels), town.etcd, 2379)


def test_members_of_etcd_reach_each_other_and_dns_and_nothing_else() -> None:
    town = Town()

    assert town.allows(town.etcd, town.etcd, 2380)
    assert town.allows(town.etcd, town.etcd, 2379)
    assert town.allows(town.etcd, DNS, 53, "UDP")
    assert not town.allows(town.etcd, town.far_etcd, 2380)
    assert not town.allows(town.far_etcd, town.etcd, 2380)
    assert not town.allows(town.etcd, town.writer, 8080)
    assert not town.allows(town.etcd, "93.184.216.34", 443)


@pytest.mark.parametrize(
    ("allowed", "namespace", "reached"),
    [
        ({"from": "All"}, "press", True),
        (PRESS, "press", True),
        (PRESS, "lab", False),
        ({"from": "Same"}, "press", False),
    ],
    ids=str,
)
def test_peers_of_other_namespaces_are_reached_where_the_mesh_lets_them_in(
    allowed: dict[str, Any], namespace: str, *, reached: bool
) -> None:
    town = Town(namespace=namespace, allowedNamespaces=allowed)

    assert town.allows(town.asker, town.etcd, 2379) is reached
    assert town.allows(town.asker, town.writer, 9000) is reached
    assert town.allows(town.writer, town.asker, 9000) is reached


def test_a_selector_is_written_as_the_api_server_gives_it_back() -> None:
    policy = etcd_network_policy(a_mesh(allowedNamespaces=PRESS), SETTINGS)

    [_, selected, _] = policy["spec"]["ingress"][0]["from"]
    assert selected["namespaceSelector"] == PRESS["selector"]


def test_with_an_external_etcd_nodes_reach_no_other() -> None:
    endpoint = {"endpoints": ["https://10.1.2.3:2379"], "tlsSecret": {"name": "tls"}}
    town = Town(Address("10.1.2.3", 2379), etcd={"external": endpoint})

    assert town.allows(town.asker, "10.1.2.3", 2379)
    assert not town.allows(town.asker, town.etcd, 2379)


def test_the_pods_behind_a_service_are_reached_at_their_port_alone() -> None:
    town = Town(Pods("ai", frozenset({("app", "models")}), 8000), Pods("lab", frozenset({("app", "curious")}), "http"))
    models = Pod("ai", {"app": "models", "version": "1"})

    assert town.allows(town.asker, models, 8000)
    assert not town.allows(town.asker, models, 22)
    assert not town.allows(town.asker, Pod("ai", {"app": "other"}), 8000)
    assert not town.allows(town.asker, Pod(NAMESPACE, {"app": "models"}), 8000)
    assert town.allows(town.asker, Pod("lab", {"app": "curious"}, {"http": 80}), 80)
    assert not town.allows(town.asker, Pod("lab", {"app": "curious"}, {"http": 80}), 81)


def test_a_database_that_a_secret_names_is_reached_wherever_it_is_on_its_port_alone() -> None:
    town = Town(POSTGRESQL)

    for database in (Pod("data", {"cnpg.io/cluster": "db"}), "10.1.2.3", "93.184.216.34"):
        assert town.allows(town.asker, database, 5432)
        assert not town.allows(town.asker, database, 443)
        assert not town.allows(town.writer, database, 5432)


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8"])
def test_public_addresses_are_reached_on_the_ports_of_external_hosts(address: str) -> None:
    town = Town(Public(443), Public(8443))

    assert town.allows(town.asker, address, 443)
    assert town.allows(town.asker, address, 8443)
    assert not town.allows(town.asker, address, 80)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.31.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "0.0.0.0",
        "::1",
        "fd00::1",
        "fe80::1",
        "ff02::1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::8.8.8.8",
    ],
)
def test_addresses_that_are_not_public_are_never_reached_as_external_hosts(address: str) -> None:
    town = Town(Public(443))

    assert not town.allows(town.asker, address, 443)


def test_an_address_that_the_user_wrote_is_reached_at_its_port_alone() -> None:
    town = Town(Address("10.1.2.3", 8080), Address("fd00::1", 443))

    assert town.allows(town.asker, "10.1.2.3", 8080)
    assert town.allows(town.asker, "fd00::1", 443)
    assert not town.allows(town.asker, "10.1.2.3", 443)
    assert not town.allows(town.asker, "10.1.2.4", 8080)


def test_a_policy_of_the_users_own_may_open_more() -> None:
    town = Town()
    own: Manifest = {
        "metadata": {"namespace": NAMESPACE},
        "spec": {
            "podSelector": {"matchLabels": {"isek.io/agent": "asker"}},
            "policyTypes": ["Egress"],
            "egress": [{"to": [{"ipBlock": {"cidr": "10.9.0.0/16"}}]}],
        },
    }
    opened = Network([*town.network.policies, own])

    assert opened.allows(town.asker, "10.9.0.1", 5432)
    assert opened.allows(town.asker, town.etcd, 2379)


def test_the_order_of_what_is_reached_does_not_matter() -> None:
    first, second = Public(443), Address("10.1.2.3", 8080)

    assert workload_network_policy(dedicated(agent(), destinations=[first, second]), SETTINGS) == (
        workload_network_policy(dedicated(agent(), destinations=[second, first]), SETTINGS)
    )
