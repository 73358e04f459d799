"""A static scan, by checkov, of all that the chart renders and of all that the operator makes for the examples."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml
from isek.api import KINDS

from tests.support.chart import render
from tests.unit.decide.scene import Scene
from tests.unit.manifests.samples import mesh, resource

TOP = Path(__file__).parents[2]
CHECKOV = TOP / "build" / "checkov" / "bin" / "checkov"
ACCEPTED = Path(__file__).with_name("accepted.yaml")
VALUES: tuple[tuple[str, ...], ...] = (
    (),
    ("watchNamespaces={press,lab}", "rbac.aggregate=false"),
    ("namespace.create=true", "crds.keep=false", "log.format=JSON", "image.pullSecrets[0].name=registry"),
    ("ui.enabled=true", "ui.pages[0].namespace=press"),
)
FOLDERS = ("quickstart", "quickstart-openai", "shared-node", "memory")
SECRETS = {"openai": ("api-key",), "concierge-db": ("uri",)}
"""That the examples refer to, with their keys."""

Manifest = dict[str, Any]

pytestmark = pytest.mark.timeout(600)  # checkov looks at some 1,000 things, and a busy machine takes its time


@dataclass(frozen=True, order=True)
class Finding:
    check: str
    resource: str
    """Kind, namespace and name, with dots between them."""
    title: str


@dataclass(frozen=True)
class Acceptance:
    """A finding that is meant to be, and why."""

    check: str
    of: str
    """A pattern of the shell for the resource."""
    why: str

    def covers(self, finding: Finding) -> bool:
        return finding.check == self.check and fnmatchcase(finding.resource, self.of)


def rendered() -> Iterator[tuple[str, Manifest]]:
    """Everything to scan, with a name for its file."""
    for index, values in enumerate(VALUES):
        yield from ((f"chart-{index}", manifest) for manifest in render(*values))
    for folder in FOLDERS:
        yield from ((folder, manifest) for manifest in children(TOP / "examples" / folder))


def children(folder: Path) -> Iterator[Manifest]:
    """What the operator makes for the custom resources of a folder."""
    documents = [each for path in sorted(folder.glob("*.yaml")) for each in yaml.safe_load_all(path.read_text())]
    custom = [resource(each["kind"], each["metadata"]["name"], each["spec"]) for each in documents]
    scene = Scene(mesh(), *(each for each in custom if each["kind"] in KINDS), secrets=SECRETS)
    scene.settle("IsekMesh", "default")
    for kind in KINDS:
        for key in tuple(scene.store.keys(kind)):
            outcome = scene.decide(kind, key.name)
            yield from outcome.wish or ()
            yield from (secret.manifest for secret in outcome.secrets)


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """What checkov finds. It needs no network: its policies come with it."""
    folder = tmp_path_factory.mktemp("manifests")
    documents: dict[str, list[Manifest]] = {}
    for name, manifest in rendered():
        if manifest["kind"] != "CustomResourceDefinition":  # no workload, and slow to read
            documents.setdefault(name, []).append(manifest)
    for name, manifests in documents.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(manifests))
    command = (CHECKOV, "--framework", "kubernetes", "--skip-download", "--soft-fail", "--output", "json", "-d", folder)
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    results = json.loads(answer.stdout)["results"]
    assert not results["parsing_errors"]
    assert len(results["passed_checks"]) > 500, "it has looked at everything"
    return sorted(
        {Finding(each["check_id"], each["resource"], each["check_name"]) for each in results["failed_checks"]}
    )


@pytest.fixture(scope="module")
def accepted() -> list[Acceptance]:
    return [Acceptance(**each) for each in yaml.safe_load(ACCEPTED.read_text())]


def test_no_finding_is_unexplained(findings: list[Finding], accepted: list[Acceptance]) -> None:
    unexplained = [each for each in findings if not any(acceptance.covers(each) for acceptance in accepted)]

    assert not unexplained, "\n".join(f"{each.check} {each.resource}: {each.title}" for each in unexplained)


def test_no_explanation_is_left_over(findings: list[Finding], accepted: list[Acceptance]) -> None:
    stale = [each for each in accepted if not any(each.covers(finding) for finding in findings)]

    assert not stale
