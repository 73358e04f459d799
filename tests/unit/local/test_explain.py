"""What `isek explain` says of files."""

import json
from pathlib import Path

from click.testing import CliRunner
from isek.cli.main import main

QUICKSTART = Path(__file__).parents[3] / "examples" / "quickstart"


def test_the_children_and_the_processes_of_a_folder_are_named() -> None:
    shown = CliRunner().invoke(main, ["explain", "-f", str(QUICKSTART), "-o", "json"])

    said = json.loads(shown.output)
    children = {each["resource"]: each["children"] for each in said["cluster"]}
    assert {"Deployment researcher-agent", "Service researcher-agent"} <= set(children["IsekAgent researcher"])
    assert {"Secret default-p2p", "StatefulSet default-etcd"} <= set(children["IsekMesh default"])
    assert [each["node"] for each in said["local"]] == [
        "newsroom-team-0.default",
        "researcher-agent-0.default",
        "writer-agent-0.default",
    ]


def test_an_etcd_that_somebody_else_runs_is_not_made(tmp_path: Path) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text(
        """
apiVersion: isek.io/v1alpha1
kind: IsekMesh
metadata: {name: default}
spec: {etcd: {external: {endpoints: ["https://etcd.example.org:2379"], tlsSecret: {name: client}}}}
---
apiVersion: isek.io/v1alpha1
kind: IsekAgent
metadata: {name: a}
spec: {model: {provider: Echo}}
"""
    )

    shown = CliRunner().invoke(main, ["explain", "-f", str(file), "-o", "json"])

    children = {each["resource"]: each["children"] for each in json.loads(shown.output)["cluster"]}
    assert children["IsekMesh default"] == ["Secret default-p2p"]


def test_for_people_it_is_a_tree() -> None:
    shown = CliRunner().invoke(main, ["explain", "-f", str(QUICKSTART)])

    assert shown.exit_code == 0
    assert "  IsekTeam newsroom\n  ├─ " in shown.output
    assert "newsroom-team-0.default      newsroom.default     node and libp2p sidecar" in shown.output


def test_what_is_wrong_is_said_with_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text("apiVersion: isek.io/v1alpha1\nkind: IsekAgent\nmetadata: {name: a}\nspec: {model: {}}\n")

    shown = CliRunner().invoke(main, ["explain", "-f", str(file)])

    assert shown.exit_code == 1
    assert "spec.model.provider" in shown.output
    assert "Traceback" not in shown.output


def test_what_is_wrong_beside_what_would_run_is_a_failure_too(tmp_path: Path) -> None:
    for name in ("first.py", "second.py"):
        (tmp_path / name).write_text(
            "from isek import EchoModel, IsekAgent\nalice = IsekAgent('alice', model=EchoModel())\n"
        )

    shown = CliRunner().invoke(main, ["explain", str(tmp_path)])

    assert shown.exit_code == 1
    assert "second.py: alice: an agent 'alice' is in" in shown.output
    assert "first-node-0.default" in shown.output
