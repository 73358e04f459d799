from pathlib import Path

import pytest
import yaml
from isek.api.documents import DocumentError
from isek.node.hosted import build_hosted, read_hosted
from isek.node.metrics import Metrics

from tests.support.asking import Directory
from tests.support.node_process import agent, team

ECHO = {"provider": "Echo"}


def written(folder: Path, *documents: object) -> Path:
    path = folder / "hosted.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return path


def test_agents_and_teams_are_read_and_built(tmp_path: Path) -> None:
    path = written(tmp_path, agent("writer", ECHO, capabilities=["prose"]), team("newsroom", "writer"))

    hosted = build_hosted(
        read_hosted(path, "press"), Directory({}), tmp_path, Metrics(), memory_dir=tmp_path, source=path
    )

    assert [(entry.address, entry.kind, entry.capabilities) for entry in hosted] == [
        ("writer.press", "Agent", ("prose",)),
        ("newsroom.press", "Team", ()),
    ]


def test_a_node_may_host_nothing_yet(tmp_path: Path) -> None:
    path = tmp_path / "hosted.yaml"
    path.write_text("")

    assert read_hosted(path, "press") == []


def test_each_problem_of_the_file_is_a_line_that_names_the_object_and_the_field(tmp_path: Path) -> None:
    elsewhere = agent("critic", ECHO)
    elsewhere["metadata"]["namespace"] = "stage"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    path = written(tmp_path, agent("writer", ECHO), team("writer", "critic"), elsewhere, secret)

    with pytest.raises(DocumentError) as refused:
        read_hosted(path, "press")

    assert str(refused.value).splitlines() == [
        f"{path}: IsekTeam writer: metadata.name: is taken already; agents and teams share their names",
        f"{path}: IsekAgent critic: metadata.namespace: is 'stage'; this node hosts 'press'",
        f"{path}: a node hosts IsekAgent and IsekTeam, not Secret",
    ]


def test_a_specification_that_does_not_work_out_is_a_line_too(tmp_path: Path) -> None:
    path = written(tmp_path, agent("writer", ECHO, tools=[{"builtin": "calculator"}, {"builtin": "calculator"}]))

    with pytest.raises(DocumentError) as refused:
        build_hosted(read_hosted(path, "press"), Directory({}), tmp_path, Metrics(), memory_dir=tmp_path, source=path)

    assert str(refused.value) == (
        f"{path}: IsekAgent writer: spec.tools[1]: there is a tool called 'calculator' already"
    )
