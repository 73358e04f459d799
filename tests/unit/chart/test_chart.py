import tomllib
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from isek_operator.kinds import LEASE
from isek_operator.settings import PREFIX, OperatorSettings

from tests.support.chart import CHART, Manifest, helm, render

TOP = Path(__file__).parents[3]


def rendered(kind: str, *values: str) -> list[Manifest]:
    return [manifest for manifest in render(*values) if manifest["kind"] == kind]


def test_helm_has_nothing_to_object_to() -> None:
    answer = helm("lint --strict")

    assert "0 chart(s) failed" in answer.stdout, answer.stdout + answer.stderr


def test_all_that_is_rendered_is_valid_for_kubernetes() -> None:
    manifests = render("namespace.create=true", "watchNamespaces={a,b}", "image.pullSecrets[0].name=registry")

    for manifest in manifests:
        if manifest["kind"] != "CustomResourceDefinition":  # a real API server has these in the integration tests
            kubernetes_validate.validate(manifest, "1.36", strict=True)
    assert {manifest["kind"] for manifest in manifests} >= {"Namespace", "RoleBinding", "Deployment", "Service"}


def test_the_application_is_of_the_version_of_the_project() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert chart["appVersion"] == project["version"]


def test_the_chart_defines_the_kinds_as_they_are_generated() -> None:
    generated = [yaml.safe_load(path.read_text()) for path in sorted((TOP / "crds").iterdir())]

    assert [crd["spec"] for crd in rendered("CustomResourceDefinition")] == [crd["spec"] for crd in generated]


def test_the_kinds_outlive_the_release_unless_told_otherwise() -> None:
    policy = {"helm.sh/resource-policy": "keep"}

    assert all(crd["metadata"]["annotations"] == policy for crd in rendered("CustomResourceDefinition"))
    assert not any("annotations" in crd["metadata"] for crd in rendered("CustomResourceDefinition", "crds.keep=false"))
    assert rendered("CustomResourceDefinition", "crds.install=false") == []


@pytest.mark.parametrize("kind", ["Deployment", "Pod"], ids=["the operator", "helm test"])
def test_what_runs_fits_pod_security_restricted_and_writes_nothing_to_its_image(kind: str) -> None:
    (owner,) = rendered(kind)
    pod = owner["spec"]["template"]["spec"] if kind == "Deployment" else owner["spec"]
    (container,) = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_two_operators_run_and_one_stays_while_the_other_is_replaced_or_drained() -> None:
    (deployment,) = rendered("Deployment")
    (budget,) = rendered("PodDisruptionBudget")

    assert deployment["spec"]["replicas"] == 2
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"] == deployment["spec"]["selector"]


def test_the_operators_may_use_the_lease_that_they_are_told_of_and_no_other() -> None:
    (role,) = rendered("Role")
    (binding,) = rendered("RoleBinding")
    (deployment,) = rendered("Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    told = {variable["name"]: variable for variable in container["env"]}

    create, use = role["rules"]
    assert (create["verbs"], use["verbs"]) == (["create"], ["get", "update"])
    assert create["resources"] == use["resources"] == [LEASE.plural]
    assert create["apiGroups"] == use["apiGroups"] == [LEASE.group]
    assert use["resourceNames"] == [told["ISEK_OPERATOR_LEASE_NAME"]["value"]]
    assert told["ISEK_OPERATOR_LEASE_NAMESPACE"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.namespace"
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == deployment["metadata"]["namespace"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]


def test_the_test_of_the_chart_asks_the_operator_whether_it_is_ready() -> None:
    (pod,) = rendered("Pod")
    (service,) = rendered("Service")
    (deployment,) = rendered("Deployment")
    (container,) = pod["spec"]["containers"]
    (operator,) = deployment["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["port"] for port in service["spec"]["ports"]}
    address = f"http://{service['metadata']['name']}.isek-system.svc:{ports['health']}"

    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert container["image"] == operator["image"]
    assert container["command"][-1] == address + operator["readinessProbe"]["httpGet"]["path"]
    assert not service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()


def operator_environment(*values: str) -> dict[str, str]:
    (deployment,) = rendered("Deployment", *values)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable["value"] for variable in container["env"] if "value" in variable}


def test_the_operator_understands_what_the_chart_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told = operator_environment("watchNamespaces={press,lab}", "log.format=JSON", "log.level=debug")
    for name, value in told.items():
        monkeypatch.setenv(name, value)

    settings = OperatorSettings()

    assert settings.watch_namespaces == ("press", "lab")
    assert (settings.log_format, settings.log_level) == ("JSON", "debug")
    assert {name.removeprefix(PREFIX).lower() for name in told} <= set(OperatorSettings.model_fields)


def test_the_default_values_are_the_defaults_of_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = OperatorSettings()
    for name, value in operator_environment().items():
        monkeypatch.setenv(name, value)

    # people read what they start by hand; what runs in a cluster is read by machines
    assert OperatorSettings() == defaults.model_copy(update={"log_format": "JSON"})


def test_no_service_of_the_namespace_becomes_a_setting() -> None:
    (deployment,) = rendered("Deployment")

    assert deployment["spec"]["template"]["spec"]["enableServiceLinks"] is False


def test_images_without_a_tag_are_of_the_version_of_the_chart() -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    environment = operator_environment("nodeImage.tag=next", "p2pImage.repository=registry.local/p2p")

    assert environment["ISEK_OPERATOR_NODE_IMAGE"] == "isek/node:next"
    assert environment["ISEK_OPERATOR_P2P_IMAGE"] == f"registry.local/p2p:{version}"


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("image.repo=elsewhere", "at '/image': additional properties 'repo' not allowed"),
        ("logs.format=JSON", "additional properties 'logs' not allowed"),
        ("log.format=json", "at '/log/format': value must be one of 'Text', 'JSON'"),
        ("watchNamespaces=press", "at '/watchNamespaces': got string, want array"),
    ],
)
def test_a_value_that_does_not_exist_or_fit_is_refused_by_name(value: str, complaint: str) -> None:
    answer = helm("template isek", "--set", value)

    assert answer.returncode == 1
    assert complaint in answer.stderr


def test_the_longest_name_of_a_release_leaves_names_that_kubernetes_takes() -> None:
    answer = helm(f"template {'r' * 53}", "--namespace", "isek-system")

    names = [document["metadata"]["name"] for document in yaml.safe_load_all(answer.stdout) if document]
    assert len(names) > 10
    assert max(len(name) for name in names) <= 63
