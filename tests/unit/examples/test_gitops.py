"""The examples for Argo CD and Flux name what there is."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.chart import CHART, helm

TOP = Path(__file__).parents[3]
EXAMPLES = TOP / "examples"
VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]


def documents(path: str) -> dict[str, dict[str, Any]]:
    """The documents of a file, by kind and name."""
    found = yaml.safe_load_all((EXAMPLES / path).read_text())
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in found}


def operator_of_argo_cd() -> tuple[str, str, dict[str, Any]]:
    source = documents("argocd/operator.yaml")["Application/isek-operator"]["spec"]["source"]
    return source["path"], source["targetRevision"], source["helm"]["valuesObject"]


def operator_of_flux() -> tuple[str, str, dict[str, Any]]:
    found = documents("flux/operator.yaml")
    release = found["HelmRelease/isek"]["spec"]
    return release["chart"]["spec"]["chart"], found["GitRepository/isek"]["spec"]["ref"]["tag"], release["values"]


@pytest.mark.parametrize("operator", [operator_of_argo_cd, operator_of_flux])
def test_the_operator_is_installed_from_this_chart_with_values_that_it_knows(operator: Any, tmp_path: Path) -> None:
    path, revision, values = operator()
    given = tmp_path / "values.yaml"
    given.write_text(yaml.safe_dump(values))

    answer = helm("template isek", "--values", str(given))

    assert TOP / path == CHART
    assert revision == f"v{VERSION}"
    assert answer.returncode == 0, answer.stderr


def test_the_agents_of_flux_wait_for_the_operator_and_are_waited_for() -> None:
    found = documents("flux/kustomizations.yaml")
    release = documents("flux/operator.yaml")["HelmRelease/isek"]["metadata"]
    operator, agents = found["Kustomization/isek"]["spec"], found["Kustomization/agents"]["spec"]

    assert [(check["name"], check["namespace"]) for check in operator["healthChecks"]] == [
        (release["name"], release["namespace"])
    ]
    assert agents["dependsOn"] == [{"name": "isek"}]
    assert agents["wait"]
    assert agents["prune"]


def test_argo_cd_heals_and_prunes_and_is_told_to_ignore_nothing() -> None:
    for path in ("argocd/operator.yaml", "argocd/agents.yaml"):
        (application,) = documents(path).values()
        assert application["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
        assert application["spec"]["syncPolicy"]["retry"]["limit"] > 0
        assert "ignoreDifferences" not in application["spec"]
