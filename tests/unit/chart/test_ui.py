"""The chat page in the chart: where it runs, what it may reach, and what it is told."""

from typing import Any

import kubernetes_validate
import pytest
from isek_operator.manifests.meta import child_labels, joined_labels
from isek_ui.settings import Settings

from tests.support.chart import Manifest, helm, render
from tests.support.policies import Network, Pod
from tests.unit.manifests.samples import a_mesh

SHARED = ("ui.enabled=true", "ui.pages[0].namespace=press", "ui.pages[0].meshRef.name=shared")
OWN = ("ui.enabled=true", "ui.pages[0].namespace=press")
ELSEWHERE = (*SHARED, "ui.pages[0].meshRef.namespace=lab")


def rendered(*values: str) -> list[Manifest]:
    """The objects of pages."""
    return [
        each
        for each in render(*values)
        if each["metadata"].get("labels", {}).get("app.kubernetes.io/name") == "isek-ui"
    ]


def one(kind: str, *values: str, name: str | None = None) -> Manifest:
    (found,) = [each for each in rendered(*values) if each["kind"] == kind and name in {None, each["metadata"]["name"]}]
    return found


def pod(*values: str) -> Pod:
    deployment = one("Deployment", *values)
    template: dict[str, Any] = deployment["spec"]["template"]
    ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    return Pod(deployment["metadata"]["namespace"], template["metadata"]["labels"], ports)


def network(*values: str) -> Network:
    return Network([each for each in rendered(*values) if each["kind"] == "NetworkPolicy"])


def node(namespace: str, mesh: str, mesh_namespace: str) -> Pod:
    labels = dict(zip(joined_labels(a_mesh()), (mesh, mesh_namespace), strict=True))
    return Pod(namespace, labels, {"http": 8080})


def test_there_is_none_unless_it_is_wanted() -> None:
    assert rendered() == []


@pytest.mark.parametrize("more", [(), ("ui.storage=1Gi", "ui.pullSecrets[0].name=registry")])
def test_all_of_it_is_valid_for_kubernetes(more: tuple[str, ...]) -> None:
    for manifest in rendered(*ELSEWHERE, *more):
        kubernetes_validate.validate(manifest, "1.36", strict=True)


def test_it_fits_pod_security_restricted_and_has_no_right_in_the_cluster() -> None:
    spec = one("Deployment", *OWN)["spec"]["template"]["spec"]
    (container,) = spec["containers"]

    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"emptyDir": {}, "name": "data"} in spec["volumes"]
    assert spec["automountServiceAccountToken"] is False
    assert not {"Role", "ClusterRole"} & {each["kind"] for each in rendered(*OWN)}


def test_the_page_understands_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    (container,) = one("Deployment", *SHARED, "ui.hosts={chat.example.com}")["spec"]["template"]["spec"]["containers"]
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])

    settings = Settings()

    assert settings.nodes == ("http://shared-ui-nodes.press.svc:8080",)
    assert settings.namespace == "press"
    assert settings.port == container["ports"][0]["containerPort"]
    assert settings.hosts == ("shared-ui", "shared-ui.press", "shared-ui.press.svc", "chat.example.com")
    assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {str(settings.data)}


@pytest.mark.parametrize(
    ("values", "mesh", "mesh_namespace"), [(OWN, "default", "press"), (ELSEWHERE, "shared", "lab")]
)
def test_it_hears_from_the_nodes_of_its_mesh_in_its_namespace(
    values: tuple[str, ...], mesh: str, mesh_namespace: str
) -> None:
    its_node = node("press", mesh, mesh_namespace)
    service = one("Service", *values, name=f"{mesh}-ui-nodes")

    assert service["metadata"]["namespace"] == "press"
    assert service["spec"]["selector"].items() <= dict(its_node.labels).items()
    assert network(*values).allows(pod(*values), its_node, 8080)


@pytest.mark.parametrize(
    ("more", "file"), [((), "/token/token"), (("ui.pages[0].tokenSecret.key=chat",), "/token/chat")]
)
def test_it_shows_the_token_of_a_secret_where_it_is_given_one(
    monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...], file: str
) -> None:
    given = (*OWN, "ui.pages[0].tokenSecret.name=callers", *more)
    for manifest in rendered(*given):
        kubernetes_validate.validate(manifest, "1.36", strict=True)
    spec = one("Deployment", *given)["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], str(variable["value"]))

    assert str(Settings().token_file) == file
    (volume,) = [each for each in spec["volumes"] if each["name"] == "token"]
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == "token"]
    (item,) = volume["secret"]["items"]
    assert (volume["secret"]["secretName"], f"{mount['mountPath']}/{item['path']}") == ("callers", file)
    assert item["key"] == item["path"]


def test_it_reaches_nothing_else() -> None:
    page = pod(*OWN)

    assert network(*OWN).allows(page, Pod("kube-system", {"k8s-app": "kube-dns"}), 53, "UDP")
    assert not network(*OWN).allows(page, node("lab", "default", "press"), 8080)
    assert not network(*OWN).allows(page, node("press", "other", "press"), 8080)
    assert not network(*OWN).allows(page, Pod("press", child_labels(a_mesh())), 2379)
    assert not network(*OWN).allows(page, "93.184.216.34", 443)


def test_pods_of_its_namespace_reach_it_and_no_others() -> None:
    service = one("Service", *OWN, name="default-ui")

    assert service["spec"].get("type", "ClusterIP") == "ClusterIP"
    assert network(*OWN).allows(Pod("press"), pod(*OWN), 8000)
    assert not network(*OWN).allows(Pod("lab"), pod(*OWN), 8000)
    assert not network(*OWN).allows("93.184.216.34", pod(*OWN), 8000)


def test_the_probes_ask_by_a_name_that_the_page_has() -> None:
    (container,) = one("Deployment", *OWN)["spec"]["template"]["spec"]["containers"]

    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert (asked["path"], asked["httpHeaders"]) == ("/health", [{"name": "Host", "value": "localhost"}])


def test_the_file_of_conversations_has_one_writer() -> None:
    spec = one("Deployment", *OWN)["spec"]

    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_its_pods_are_none_of_the_operator_s() -> None:
    (operator,) = [
        each for each in render(*OWN) if each["kind"] == "Deployment" and each["metadata"]["name"] == "isek-operator"
    ]

    assert not operator["spec"]["selector"]["matchLabels"].items() <= dict(pod(*OWN).labels).items()


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("ui.pages[0].mesh=default", "additional properties 'mesh' not allowed"),
        ("ui.pages[0].meshRef.namespace=lab", "missing property"),
        ("ui.storage=lots", "does not match pattern"),
        ("ui.hosts={https://chat.example.com}", "does not match pattern"),
    ],
)
def test_what_does_not_fit_is_refused(value: str, complaint: str) -> None:
    answer = helm("template isek", "--set", value)

    assert answer.returncode == 1
    assert complaint in answer.stderr
