"""A workload whose Service shows a certificate: HTTPS, gRPC over TLS, and nothing in plain text."""

from typing import Any

from isek_operator.manifests.network_policy import workload_network_policy
from isek_operator.manifests.pod import pod_template
from isek_operator.manifests.service import workload_service

from tests.unit.decide.scene import Scene, finding
from tests.unit.manifests.samples import SETTINGS, a_mesh, agent, dedicated, environment, mesh, node, valid

SECURE: dict[str, Any] = {"template": {"tlsSecret": {"name": "writer-tls"}}}


def test_its_service_speaks_https_and_grpc_over_tls_alone() -> None:
    plain, secure = (valid(workload_service(dedicated(agent(**spec))))["spec"]["ports"] for spec in ({}, SECURE))

    assert {each["port"] for each in plain} == {8080, 8082}
    assert secure == [
        {"name": "https", "port": 8443, "targetPort": "https", "protocol": "TCP", "appProtocol": "https"},
        {"name": "grpc", "port": 8082, "targetPort": "grpc", "protocol": "TCP", "appProtocol": "https"},
    ]


def test_pods_of_its_namespace_reach_it_there_and_nowhere_else() -> None:
    policy = valid(workload_network_policy(dedicated(agent(**SECURE)), SETTINGS))

    [neighbours] = [rule for rule in policy["spec"]["ingress"] if rule["from"] == [{"podSelector": {}}]]
    assert [each["port"] for each in neighbours["ports"]] == [8443, 8082]


def test_nobody_asks_it_in_plain_text_where_http_is_the_last_path() -> None:
    last = a_mesh(p2p={"fallback": "HTTP"})
    plain, secure = (
        {port["port"] for rule in workload_network_policy(dedicated(agent(**spec), last), SETTINGS)["spec"]["ingress"]
         for port in rule["ports"]}
        for spec in ({}, SECURE)
    )  # fmt: skip

    assert 8080 in plain
    assert 8080 not in secure


def test_its_pods_mount_the_certificate_and_its_key_and_are_probed_as_before() -> None:
    spec = pod_template(dedicated(agent(**SECURE)), SETTINGS)["spec"]
    container = spec["containers"][0]
    [volume] = [each for each in spec["volumes"] if each["name"] == "tls"]

    assert volume["secret"]["secretName"] == "writer-tls"
    assert [each["key"] for each in volume["secret"]["items"]] == ["tls.crt", "tls.key"]
    assert {"name": "tls", "mountPath": "/var/run/isek/tls", "readOnly": True} in container["volumeMounts"]
    assert environment(container)["ISEK_TLS_PORT"] == "8443"
    assert environment(container)["ISEK_GRPC_PORT"] == "8082"
    assert [each["name"] for each in container["ports"]] == ["http", "grpc", "https"]
    assert container["readinessProbe"]["httpGet"]["port"] == "http"


def test_its_url_says_https() -> None:
    scene = Scene(mesh(), agent(**SECURE), secrets={"writer-tls": ("tls.crt", "tls.key")})

    status = scene.decide("IsekAgent", "researcher").status

    assert status["url"] == "https://researcher-agent.newsroom.svc:8443/agents/researcher"


def test_a_certificate_that_is_not_there_is_asked_for() -> None:
    for kind, owner in (("IsekAgent", agent(**SECURE)), ("IsekNode", node("researcher", **SECURE))):
        ready = finding(Scene(mesh(), owner).decide(kind, "researcher"), "Ready")

        assert ready.reason == "SecretNotFound"
        assert ready.message.endswith("create it, or fix spec.template.tlsSecret")
