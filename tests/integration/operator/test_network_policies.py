"""The NetworkPolicies as the API server takes them. Whether they are enforced is the pod network's business."""

from typing import Any

import pytest

from tests.integration.operator.operator_process import OperatorProcess
from tests.integration.operator.resources import agent, mesh, node
from tests.support.control_plane import KubeClient
from tests.support.kube import Object

pytestmark = pytest.mark.usefixtures("operator")


def asking(name: str, url: str, **spec: Any) -> Object:
    return agent(name, model={"provider": "OpenAI", "name": "m", "baseURL": url}, **spec)


def service(name: str, **spec: Any) -> Object:
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8000}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def reached(policy: Object) -> list[Object]:
    """Where the rules lead that follow the two of DNS, etcd and the peers."""
    rules: list[Object] = policy["spec"]["egress"][4:]
    return rules


def rule(namespace: str, app: str, port: int) -> Object:
    peer = {
        "podSelector": {"matchLabels": {"app": app}},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
    }
    return {"to": [peer], "ports": [{"protocol": "TCP", "port": port}]}


async def test_each_workload_and_each_etcd_has_a_policy(kube: KubeClient) -> None:
    await kube.apply(agent("writer"), node("shared"))

    for name, pods in {
        "writer-agent": {"isek.io/agent": "writer"},
        "shared-node": {"isek.io/node": "shared"},
        "default-etcd": {"isek.io/mesh": "default"},
    }.items():
        policy = await kube.until_exists("NetworkPolicy", name)
        assert policy["spec"]["podSelector"] == {"matchLabels": pods}
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]


async def test_what_somebody_opens_in_a_policy_is_closed_again(kube: KubeClient) -> None:
    await kube.apply(agent("writer"))
    before = await kube.until_exists("NetworkPolicy", "writer-agent")
    more = [{**each, "ports": [*each["ports"], {"port": 22}]} for each in before["spec"]["egress"]]

    await kube.patch("NetworkPolicy", "writer-agent", {"spec": {"egress": [*more, {}]}})

    after = await kube.until_true(
        "NetworkPolicy", "writer-agent", lambda live: live["spec"] == before["spec"], what="is as it was"
    )
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


async def test_a_policy_stays_as_it_is_written(kube: KubeClient, operator: OperatorProcess) -> None:
    selector = {"matchExpressions": [{"key": "team", "operator": "Exists"}]}
    await kube.apply(mesh("ground", allowedNamespaces={"from": "Selector", "selector": selector}))
    await kube.apply(
        asking("writer", "https://[fd00::1]/v1", meshRef={"name": "ground"}), asking("editor", "http://h.i.j")
    )
    names = ("writer-agent", "editor-agent", "ground-etcd", "default-etcd")
    before = [await kube.until_exists("NetworkPolicy", name) for name in names]

    await kube.patch("IsekAgent", "writer", {"metadata": {"annotations": {"looked": "at"}}})
    await operator.until_reconciled(1)

    after = [await kube.get("NetworkPolicy", name) for name in names]
    assert [each["metadata"]["generation"] for each in after] == [each["metadata"]["generation"] for each in before]
    assert {each["metadata"]["generation"] for each in after} == {1}


async def test_a_service_is_reached_by_its_pods(kube: KubeClient) -> None:
    await kube.apply(service("models"), asking("writer", "http://models/v1"))

    await kube.until_true(
        "NetworkPolicy",
        "writer-agent",
        lambda live: reached(live) == [rule(kube.namespace, "models", 8000)],
        what="leads to the pods behind the Service",
    )


async def test_a_service_that_comes_later_is_found(kube: KubeClient) -> None:
    await kube.apply(asking("writer", f"http://models.{kube.namespace}.svc"))
    assert reached(await kube.until_exists("NetworkPolicy", "writer-agent")) == []

    await kube.apply(service("models"))

    await kube.until_true(
        "NetworkPolicy",
        "writer-agent",
        lambda live: reached(live) == [rule(kube.namespace, "models", 8000)],
        what="leads to the pods behind the Service",
        within=45,
    )


async def test_a_node_reaches_what_the_agents_on_it_refer_to(kube: KubeClient) -> None:
    await kube.apply(service("models"), node("shared"))
    await kube.apply(asking("writer", "http://models", nodeRef={"name": "shared"}))
    await kube.apply(asking("editor", "http://10.1.2.3:9999", nodeRef={"name": "shared"}))

    address = {"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}], "ports": [{"protocol": "TCP", "port": 9999}]}
    await kube.until_true(
        "NetworkPolicy",
        "shared-node",
        lambda live: reached(live) == [address, rule(kube.namespace, "models", 8000)],
        what="leads to both",
    )
