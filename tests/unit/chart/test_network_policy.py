"""What the operator's own pod may reach, and who may reach it."""

from typing import Any

import kubernetes_validate
from isek_operator.manifests.meta import child_labels
from isek_operator.settings import OperatorSettings

from tests.support.chart import render
from tests.support.policies import Network, Pod
from tests.unit.manifests.samples import a_mesh

DNS = Pod("kube-system", {"k8s-app": "kube-dns"})
ETCD = Pod("newsroom", child_labels(a_mesh()))


def network(*values: str) -> tuple[Network, Pod]:
    """The policies of the chart, and the operator's pod."""
    manifests = render(*values)
    (deployment,) = [each for each in manifests if each["kind"] == "Deployment"]
    template: dict[str, Any] = deployment["spec"]["template"]
    ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    operator = Pod(deployment["metadata"]["namespace"], template["metadata"]["labels"], ports)
    policies = [each for each in manifests if each["kind"] == "NetworkPolicy"]
    for policy in policies:
        kubernetes_validate.validate(policy, "1.36", strict=True)
    return Network(policies), operator


def test_the_operator_reaches_the_api_server_dns_and_every_etcd_and_nothing_else() -> None:
    chart, operator = network()

    assert chart.allows(operator, "10.0.0.1", 6443)
    assert chart.allows(operator, DNS, 53, "UDP")
    assert chart.allows(operator, Pod("openshift-dns"), 5353, "UDP")
    assert not chart.allows(operator, Pod("newsroom"), 5353, "UDP")
    assert chart.allows(operator, ETCD, 2379)
    assert not chart.allows(operator, ETCD, 2380)
    assert not chart.allows(operator, "10.0.0.1", 8080)
    assert not chart.allows(operator, Pod("newsroom", {"app": "x"}), 2379)


def test_the_test_of_the_chart_may_ask_whether_the_operator_is_ready() -> None:
    chart, operator = network()
    (test,) = [manifest for manifest in render() if manifest["kind"] == "Pod"]
    asking = Pod(test["metadata"]["namespace"], test["metadata"]["labels"])

    assert chart.allows(asking, operator, 8080)
    assert not chart.allows(Pod("monitoring", test["metadata"]["labels"]), operator, 8080)


def test_the_metrics_of_the_operator_are_read_inside_and_nothing_else_is_reached() -> None:
    chart, operator = network()

    assert chart.allows(Pod("monitoring"), operator, OperatorSettings().metrics_port)
    assert not chart.allows(Pod("monitoring"), operator, 8080)
    assert not chart.allows("93.184.216.34", operator, OperatorSettings().metrics_port)


def test_further_rules_and_other_ports_may_be_given() -> None:
    chart, operator = network(
        "networkPolicy.apiServerPorts={16443}",
        "networkPolicy.egress[0].to[0].ipBlock.cidr=10.9.0.7/32",
        "networkPolicy.egress[0].ports[0].port=2379",
    )

    assert chart.allows(operator, "10.0.0.1", 16443)
    assert not chart.allows(operator, "10.0.0.1", 6443)
    assert chart.allows(operator, "10.9.0.7", 2379)


def test_there_is_none_where_none_is_wanted() -> None:
    chart, _ = network("networkPolicy.enabled=false")

    assert chart.policies == []
