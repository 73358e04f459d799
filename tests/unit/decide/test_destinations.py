from typing import Any

import pytest
from isek_operator.decide.destinations import (
    POSTGRESQL,
    Address,
    Destination,
    Pods,
    Public,
    destinations,
    service_names,
)
from isek_operator.keys import Key, key_of

from tests.unit.decide.scene import Scene
from tests.unit.manifests.samples import ECHO, NAMESPACE, agent, mesh, node, team

MODELS = frozenset({("app", "models")})


FROM_SECRET = {"secretKeyRef": {"name": "db", "key": "url"}}


def service(name: str = "models", namespace: str = NAMESPACE, **spec: Any) -> dict[str, Any]:
    spec = {"selector": {"app": "models"}, "ports": [{"port": 80, "targetPort": 8000}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def asking(url: str | None) -> dict[str, Any]:
    model = {"provider": "OpenAI", "name": "m"} | ({"baseURL": url} if url else {})
    return agent(model=model)


def found(url: str | None, *services: dict[str, Any]) -> frozenset[Destination]:
    scene = Scene(asking(url)).label_namespace("ai")
    for each in services:
        scene.store.put_read(key_of(each), each)
    return destinations([scene.resource("IsekAgent", "researcher")], scene.store)


@pytest.mark.parametrize(
    ("url", "port"),
    [
        (None, 443),
        ("https://models.example.org/v1", 443),
        ("http://models.example.org:8443/v1", 8443),
        ("https://openrouter.io/api", 443),
        ("https://models.cluster.example.org", 443),
    ],
)
def test_a_host_elsewhere_is_public(url: str | None, port: int) -> None:
    assert found(url) == {Public(port)}


@pytest.mark.parametrize(
    "url",
    [
        "http://models.ai",
        "http://models.ai.svc/v1",
        "http://models.ai.svc.cluster.local:80",
        "http://models.ai.svc.corp.",
    ],
)
def test_a_service_is_known_by_each_of_its_names(url: str) -> None:
    assert found(url, service(namespace="ai")) == {Pods("ai", MODELS, 8000)}


def test_a_service_of_the_own_namespace_needs_no_more_than_its_name() -> None:
    assert found("http://models", service()) == {Pods(NAMESPACE, MODELS, 8000)}


@pytest.mark.parametrize(
    ("port", "target"),
    [({"port": 80}, 80), ({"port": 80, "targetPort": "http"}, "http"), ({"port": 80, "targetPort": 1}, 1)],
)
def test_pods_are_reached_at_the_port_that_the_service_leads_to(port: dict[str, Any], target: int | str) -> None:
    assert found("http://models", service(ports=[{"port": 9}, port])) == {Pods(NAMESPACE, MODELS, target)}


def test_a_headless_service_leads_to_the_port_that_is_asked_for() -> None:
    assert found("http://models:7000", service(clusterIP="None")) == {Pods(NAMESPACE, MODELS, 7000)}


def test_an_external_name_is_public() -> None:
    assert found("https://models", service(type="ExternalName", externalName="example.org", selector=None)) == {
        Public(443)
    }


@pytest.mark.parametrize(
    "services",
    [
        (),
        (service(selector=None),),
        (service(ports=[{"port": 81}]),),
        (service(ports=[{"port": 80, "protocol": "UDP"}]),),
    ],
    ids=["is not there", "names no pods", "has no such port", "has it for UDP"],
)
def test_a_service_that_leads_nowhere_opens_nothing(services: tuple[dict[str, Any], ...]) -> None:
    assert found("http://models.ai.svc", *services) == frozenset()
    assert found("http://models", *services) == frozenset()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://10.1.2.3:8080/v1", Address("10.1.2.3", 8080)),
        ("https://[fd00::1]/v1", Address("fd00::1", 443)),
    ],
)
def test_an_address_is_taken_as_it_is_written(url: str, address: Address) -> None:
    assert found(url) == {address}


def test_a_port_that_cannot_be_opens_nothing() -> None:
    assert found("http://models.example.org:99999") == frozenset()


def test_who_calls_nobody_needs_nothing() -> None:
    scene = Scene(agent(model=ECHO), team("news", {"agent": {"name": "researcher"}}))
    hosted = [scene.resource("IsekAgent", "researcher"), scene.resource("IsekTeam", "news")]

    assert destinations(hosted, scene.store) == frozenset()


def test_a_service_is_looked_for_where_its_namespace_is_known() -> None:
    scene = Scene(asking("http://models.ai"))
    resources = [scene.resource("IsekAgent", "researcher")]

    assert service_names(resources, scene.store) == frozenset()
    assert service_names(resources, scene.label_namespace("ai").store) == {("ai", "models")}


def test_a_node_reaches_what_those_it_hosts_refer_to() -> None:
    hosted: dict[str, Any] = {"model": {"provider": "OpenAI", "name": "m"}, "nodeRef": {"name": "shared"}}
    scene = Scene(mesh(), node(), agent("a", **hosted))

    (policy,) = [each for each in scene.decide("IsekNode", "shared").wish or () if each["kind"] == "NetworkPolicy"]

    assert {"protocol": "TCP", "port": 443} in [port for rule in policy["spec"]["egress"] for port in rule["ports"]]


@pytest.mark.parametrize("kind", ["IsekAgent", "IsekNode"])
def test_an_external_etcd_is_reached_by_all_that_have_pods_in_the_mesh(kind: str) -> None:
    external = {"endpoints": ["https://10.0.0.7:2379", "https://etcd.example.org:4001"], "tlsSecret": {"name": "etcd"}}
    user = {"IsekAgent": agent("writer"), "IsekNode": node("writer")}[kind]
    scene = Scene(mesh(etcd={"external": external}), user)

    assert destinations([scene.resource(kind, "writer")], scene.store) == {Address("10.0.0.7", 2379), Public(4001)}


def test_webhooks_of_callers_are_public_or_allowed() -> None:
    pushes = {"allowedHosts": ["hooks.example.org:8443", "10.0.0.7:9000"]}
    scene = Scene(agent(model=ECHO, pushNotifications=pushes))

    reached = destinations([scene.resource("IsekAgent", "researcher")], scene.store)

    assert reached == {Public(443), Public(8443), Address("10.0.0.7", 9000)}


@pytest.mark.parametrize(
    ("tool", "reached"),
    [
        ({"http": {"name": "weather", "url": "https://weather.example.org:8443/{city}"}}, {Public(8443)}),
        ({"mcp": {"url": "http://10.0.0.7:9/mcp"}}, {Address("10.0.0.7", 9)}),
        ({"mcp": {"url": "http://models.ai/mcp"}}, {Pods("ai", MODELS, 8000)}),
        ({"webSearch": {"url": "http://models.ai/search"}}, {Pods("ai", MODELS, 8000)}),
        ({"httpGet": {"allow": ["*.example.org"]}}, {Public(80), Public(443)}),
        ({"httpGet": {"allow": ["fd00::1"]}}, {Address("fd00::1", 80), Address("fd00::1", 443)}),
        ({"builtin": "datetime"}, set()),
        ({"sql": {"url": FROM_SECRET}}, {POSTGRESQL}),
    ],
)
def test_what_tools_ask_is_reached(tool: dict[str, Any], reached: set[Destination]) -> None:
    scene = Scene(agent(model=ECHO, tools=[tool])).label_namespace("ai")
    scene.store.put_read(Key("Service", "ai", "models"), service(namespace="ai"))

    assert destinations([scene.resource("IsekAgent", "researcher")], scene.store) == reached


@pytest.mark.parametrize(
    ("memory", "reached"),
    [({"provider": "PostgreSQL", "url": FROM_SECRET}, {POSTGRESQL}), ({"provider": "SQLite"}, set()), ({}, set())],
)
def test_a_memory_in_postgresql_is_reached_on_its_port_wherever_it_is(
    memory: dict[str, Any], reached: set[Destination]
) -> None:
    scene = Scene(agent(model=ECHO, memory=memory))

    assert destinations([scene.resource("IsekAgent", "researcher")], scene.store) == reached
