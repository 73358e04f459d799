"""What leads to an agent from outside of the cluster names what there is."""

from pathlib import Path
from typing import Any

import yaml
from isek.api import KINDS
from isek_operator.manifests.service import workload_service
from isek_operator.manifests.workload import workload_manifests

from tests.unit.manifests.samples import SETTINGS, dedicated, resource, valid

FOLDER = Path(__file__).parents[3] / "examples" / "ingress"
AGENT = "concierge"
OPEN = ("/agents", "/v1", "/mcp", "/.well-known")
"""Not /metrics, with the names of all agents, nor what nodes and programs of the cluster ask."""


def documents() -> dict[str, dict[str, Any]]:
    found = [each for path in sorted(FOLDER.glob("*.yaml")) for each in yaml.safe_load_all(path.read_text())]
    return {each["kind"]: each for each in found}


def wanted() -> dict[str, Any]:
    written = documents()["IsekAgent"]
    KINDS["IsekAgent"].model_validate(written)
    return resource("IsekAgent", AGENT, written["spec"])


def test_what_kubernetes_knows_is_valid() -> None:
    for kind in ("Ingress", "NetworkPolicy"):
        valid(documents()[kind])


def test_the_ingress_and_the_route_lead_to_the_service_of_the_agent() -> None:
    service = workload_service(dedicated(wanted()))
    [port] = [each for each in service["spec"]["ports"] if each["name"] == "https"]
    [rule] = documents()["Ingress"]["spec"]["rules"]
    paths = rule["http"]["paths"]
    [route] = documents()["HTTPRoute"]["spec"]["rules"]

    name = service["metadata"]["name"]
    assert all(each["backend"]["service"] == {"name": name, "port": {"name": port["name"]}} for each in paths)
    assert route["backendRefs"] == [{"name": name, "port": port["port"]}]
    assert [each["name"] for each in documents()["BackendTLSPolicy"]["spec"]["targetRefs"]] == [name]


def test_they_lead_to_what_callers_need_alone() -> None:
    [rule] = documents()["Ingress"]["spec"]["rules"]
    [route] = documents()["HTTPRoute"]["spec"]["rules"]
    matched = [match["path"] for match in route["matches"]]

    assert [(each["pathType"], each["path"]) for each in rule["http"]["paths"]] == [("Prefix", each) for each in OPEN]
    assert [(each["type"], each["value"]) for each in matched] == [("PathPrefix", each) for each in OPEN]


def test_the_policy_opens_the_port_of_the_agents_pods() -> None:
    [deployment] = [each for each in workload_manifests(dedicated(wanted()), SETTINGS) if each["kind"] == "Deployment"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    policy = documents()["NetworkPolicy"]["spec"]

    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == [8443]


def test_the_certificate_goes_where_the_agent_looks_for_it_and_stands_for_its_service() -> None:
    certificate = documents()["Certificate"]["spec"]

    assert certificate["secretName"] == documents()["IsekAgent"]["spec"]["template"]["tlsSecret"]["name"]
    hostname = documents()["BackendTLSPolicy"]["spec"]["validation"]["hostname"]
    assert hostname in certificate["dnsNames"]
