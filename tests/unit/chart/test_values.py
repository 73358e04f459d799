"""What each value of the chart changes in what is rendered."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.support.chart import CHART, Manifest, render

Look = Callable[[tuple[Manifest, ...]], Any]


def first(manifests: tuple[Manifest, ...], kind: str) -> Manifest:
    return next(manifest for manifest in manifests if manifest["kind"] == kind)


def kinds(manifests: tuple[Manifest, ...]) -> set[str]:
    return {manifest["kind"] for manifest in manifests}


def pod(manifests: tuple[Manifest, ...]) -> dict[str, Any]:
    found: dict[str, Any] = first(manifests, "Deployment")["spec"]["template"]["spec"]
    return found


def container(manifests: tuple[Manifest, ...]) -> dict[str, Any]:
    (found,) = pod(manifests)["containers"]
    assert isinstance(found, dict)
    return found


def probe_container(manifests: tuple[Manifest, ...]) -> dict[str, Any]:
    (found,) = first(manifests, "Pod")["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def egress(manifests: tuple[Manifest, ...]) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = first(manifests, "NetworkPolicy")["spec"]["egress"]
    return rules


def labels(manifests: tuple[Manifest, ...], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = first(manifests, kind)["metadata"]["labels"]
    return found


def told(name: str) -> Look:
    """A setting in the operator's environment."""

    def look(manifests: tuple[Manifest, ...]) -> str:
        found = {each["name"]: each.get("value") for each in container(manifests)["env"]}
        return str(found[f"ISEK_OPERATOR_{name}"])

    return look


def page(manifests: tuple[Manifest, ...], kind: str = "Deployment") -> Manifest:
    """An object of the chat page."""
    label = "app.kubernetes.io/name"
    return next(each for each in manifests if each["kind"] == kind and each["metadata"]["labels"][label] == "isek-ui")


def page_pod(manifests: tuple[Manifest, ...]) -> dict[str, Any]:
    found: dict[str, Any] = page(manifests)["spec"]["template"]["spec"]
    return found


def page_container(manifests: tuple[Manifest, ...]) -> dict[str, Any]:
    (found,) = page_pod(manifests)["containers"]
    assert isinstance(found, dict)
    return found


def page_hosts(manifests: tuple[Manifest, ...]) -> list[str]:
    told: dict[str, str] = {each["name"]: each["value"] for each in page_container(manifests)["env"]}
    return told["ISEK_UI_HOSTS"].split(",")


VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
DIGEST = f"1.2.3@sha256:{'a' * 64}"
REGISTRY = [{"name": "registry"}]
VARIABLE = [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector:4318"}]
TAINT = [{"key": "spot", "operator": "Exists"}]

CASES: tuple[tuple[str, Any, Look, Any], ...] = (
    (
        "image.repository",
        "mine/operator",
        lambda found: container(found)["image"],
        f"mine/operator:{VERSION}",
    ),
    (
        "image.repository",
        "mine/operator",
        lambda found: probe_container(found)["image"],
        f"mine/operator:{VERSION}",
    ),
    ("image.tag", "1.2.3", lambda found: container(found)["image"], "isek/operator:1.2.3"),
    ("image.tag", DIGEST, lambda found: container(found)["image"], f"isek/operator:{DIGEST}"),
    ("image.pullPolicy", "Always", lambda found: container(found)["imagePullPolicy"], "Always"),
    ("image.pullPolicy", "Always", lambda found: probe_container(found)["imagePullPolicy"], "Always"),
    ("image.pullSecrets", REGISTRY, lambda found: pod(found)["imagePullSecrets"], REGISTRY),
    ("image.pullSecrets", REGISTRY, lambda found: first(found, "Pod")["spec"]["imagePullSecrets"], REGISTRY),
    ("replicas", 3, lambda found: first(found, "Deployment")["spec"]["replicas"], 3),
    ("clusterName", "north", told("CLUSTER_NAME"), "north"),
    ("maxConcurrentUpgrades", 9, told("MAX_CONCURRENT_UPGRADES"), "9"),
    ("image.repository", "mine/operator", told("OPERATOR_IMAGE"), f"mine/operator:{VERSION}"),
    ("nodeImage.repository", "elsewhere/node", told("NODE_IMAGE"), f"elsewhere/node:{VERSION}"),
    ("nodeImage.tag", "1.2.3", told("NODE_IMAGE"), "isek/node:1.2.3"),
    ("p2pImage.repository", "elsewhere/p2p", told("P2P_IMAGE"), f"elsewhere/p2p:{VERSION}"),
    ("p2pImage.tag", "1.2.3", told("P2P_IMAGE"), "isek/p2p:1.2.3"),
    ("etcdImage.repository", "elsewhere/etcd", told("ETCD_IMAGE"), "elsewhere/etcd:3.6.8-0"),
    ("etcdImage.tag", "3.6.9-0", told("ETCD_IMAGE"), "registry.k8s.io/etcd:3.6.9-0"),
    ("watchNamespaces", ["press", "lab"], told("WATCH_NAMESPACES"), "press,lab"),
    ("log.format", "Text", told("LOG_FORMAT"), "Text"),
    ("log.level", "debug", told("LOG_LEVEL"), "debug"),
    ("env", VARIABLE, lambda found: container(found)["env"][-1], VARIABLE[0]),
    ("ui.enabled", True, lambda found: sum(each["kind"] == "Deployment" for each in found), 2),
    ("ui.pages", [{"namespace": "press"}], lambda found: page(found)["metadata"]["namespace"], "press"),
    ("ui.image.repository", "mine/ui", lambda found: page_container(found)["image"], f"mine/ui:{VERSION}"),
    ("ui.image.tag", "1.2.3", lambda found: page_container(found)["image"], "isek/ui:1.2.3"),
    ("ui.pullSecrets", REGISTRY, lambda found: page_pod(found)["imagePullSecrets"], REGISTRY),
    ("ui.hosts", ["chat.example.com"], lambda found: page_hosts(found)[-1], "chat.example.com"),
    (
        "ui.storage",
        "1Gi",
        lambda found: page(found, "PersistentVolumeClaim")["spec"]["resources"]["requests"]["storage"],
        "1Gi",
    ),
    ("ui.resources.requests", {"cpu": "1"}, lambda found: page_container(found)["resources"]["requests"]["cpu"], "1"),
    (
        "ui.resources.limits",
        {"memory": "1Gi"},
        lambda found: page_container(found)["resources"]["limits"],
        {"memory": "1Gi"},
    ),
    ("crds.install", False, lambda found: "CustomResourceDefinition" in kinds(found), False),
    ("crds.keep", False, lambda found: first(found, "CustomResourceDefinition")["metadata"].get("annotations"), None),
    ("rbac.aggregate", False, lambda found: sum(each["kind"] == "ClusterRole" for each in found), 1),
    ("networkPolicy.enabled", False, lambda found: "NetworkPolicy" in kinds(found), False),
    (
        "networkPolicy.apiServerPorts",
        [16443],
        lambda found: [port["port"] for port in egress(found)[2]["ports"]],
        [16443],
    ),
    ("networkPolicy.egress", [{"ports": [{"port": 1}]}], lambda found: egress(found)[-1], {"ports": [{"port": 1}]}),
    ("metrics.serviceMonitor.enabled", True, lambda found: "ServiceMonitor" in kinds(found), True),
    (
        "metrics.serviceMonitor.interval",
        "10s",
        lambda found: first(found, "ServiceMonitor")["spec"]["endpoints"][0]["interval"],
        "10s",
    ),
    ("metrics.serviceMonitor.labels", {"who": "x"}, lambda found: labels(found, "ServiceMonitor")["who"], "x"),
    ("metrics.rules.enabled", True, lambda found: "PrometheusRule" in kinds(found), True),
    ("metrics.rules.labels", {"who": "x"}, lambda found: labels(found, "PrometheusRule")["who"], "x"),
    ("metrics.dashboard.enabled", True, lambda found: "ConfigMap" in kinds(found), True),
    ("metrics.dashboard.labels", {"who": "x"}, lambda found: labels(found, "ConfigMap")["who"], "x"),
    ("resources.requests", {"cpu": "1"}, lambda found: container(found)["resources"]["requests"]["cpu"], "1"),
    ("resources.limits", {"memory": "1Gi"}, lambda found: container(found)["resources"]["limits"], {"memory": "1Gi"}),
    ("nodeSelector", {"disk": "ssd"}, lambda found: pod(found)["nodeSelector"], {"disk": "ssd"}),
    ("tolerations", TAINT, lambda found: pod(found)["tolerations"], TAINT),
    ("affinity", {"podAntiAffinity": {"x": []}}, lambda found: pod(found)["affinity"], {"podAntiAffinity": {"x": []}}),
    ("namespace.create", True, lambda found: "Namespace" in kinds(found), True),
)


@pytest.mark.parametrize(("name", "value", "look", "expected"), CASES, ids=[case[0] for case in CASES])
def test_a_value_changes_what_it_is_for(name: str, value: Any, look: Look, expected: Any) -> None:
    assert look(render(*switched_on(name), f"{name}={json.dumps(value)}", as_json=True)) == expected


@pytest.mark.parametrize(("name", "value", "look", "expected"), CASES, ids=[case[0] for case in CASES])
def test_without_it_the_default_is_another(name: str, value: Any, look: Look, expected: Any) -> None:
    try:
        default = look(render(*switched_on(name), as_json=True))
    except (KeyError, StopIteration):
        return
    assert default != expected


def switched_on(name: str) -> tuple[str, ...]:
    """What has to be enabled for the value to count."""
    parts = name.split(".")
    switches = {f"{'.'.join(parts[:depth])}.enabled" for depth in range(1, len(parts))}
    return tuple(f"{switch}=true" for switch in switches & {case[0] for case in CASES} - {name})


def leaves(schema: dict[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, below in schema["properties"].items():
        if "properties" in below:
            yield from leaves(below, f"{above}{name}.")
        else:
            yield f"{above}{name}", below


SCHEMA = json.loads((CHART / "values.schema.json").read_text())
LEAVES = tuple(leaves(SCHEMA))


def test_each_value_has_a_case() -> None:
    assert {name for name, _ in LEAVES} - {"global"} == {case[0] for case in CASES}


@pytest.mark.parametrize(("name", "schema"), LEAVES, ids=[name for name, _ in LEAVES])
def test_each_value_is_described_where_it_is_defined(name: str, schema: dict[str, Any]) -> None:
    assert schema["description"].endswith(".")


def test_the_defaults_have_the_values_of_the_schema() -> None:
    def names(values: dict[str, Any], schema: dict[str, Any], above: str = "") -> Iterator[str]:
        for name, value in values.items():
            below = schema["properties"][name]
            if "properties" in below:
                yield from names(value, below, f"{above}{name}.")
            else:
                yield f"{above}{name}"

    assert set(names(yaml.safe_load((CHART / "values.yaml").read_text()), SCHEMA)) == {case[0] for case in CASES}
