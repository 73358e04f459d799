import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from isek.api.documents import DocumentError
from isek.node.hosted import Broken, Built, Hosted, build_hosted, read_hosted
from isek.node.settings import NodeSettings

from tests.support.asking import Directory
from tests.support.node_process import agent, team

ECHO = {"provider": "Echo"}


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


POET = """
from isek import EchoModel, IsekAgent

poet = IsekAgent("poet", model=EchoModel(), description="Writes verse")
"""


def built(path: Path) -> list[Built]:
    settings = NodeSettings(code_dir=path.parent / "code", secrets_dir=path.parent, memory_dir=path.parent)
    return build_hosted(read_hosted(path, "press"), Directory({}), settings)


def written(folder: Path, *documents: object) -> Path:
    path = folder / "hosted.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return path


def test_agents_and_teams_are_read_and_built(tmp_path: Path) -> None:
    path = written(tmp_path, agent("writer", ECHO, capabilities=["prose"]), team("newsroom", "writer"))

    hosted = built(path)

    assert [(entry.address, entry.kind, getattr(entry, "capabilities", None)) for entry in hosted] == [
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


def test_one_that_does_not_work_out_is_broken_and_harms_no_other(tmp_path: Path) -> None:
    twice = agent("writer", ECHO, tools=[{"builtin": "calculator"}, {"agent": {"name": "calculator"}}])
    path = written(tmp_path, twice, agent("editor", ECHO))

    broken, fine = built(path)

    assert broken == Broken(
        "writer", "press", "IsekAgent", "spec.tools[1]: there is a tool called 'calculator' already"
    )
    assert fine.name == "editor"


def in_python(name: str, config_map: str, entrypoint: str, **spec: object) -> dict[str, Any]:
    code = {"configMapRef": {"name": config_map}, "entrypoint": entrypoint}
    return {**agent(name, ECHO), "spec": {"code": code, **spec}}


def code(folder: Path, config_map: str, **files: str) -> None:
    for name, text in files.items():
        path = folder / "code" / config_map / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_an_agent_of_code_is_the_object_that_the_entrypoint_names(tmp_path: Path) -> None:
    code(tmp_path, "of-poets", poets=POET)
    path = written(
        tmp_path,
        in_python("poet", "of-poets", "poets:poet", capabilities=["verse"]),
        in_python("bard", "of-poets", "poets:poet", description="Sings"),
    )

    poet, bard = built(path)

    assert isinstance(poet, Hosted)
    assert isinstance(bard, Hosted)
    assert (poet.address, poet.description, poet.capabilities) == ("poet.press", "Writes verse", ("verse",))
    assert (bard.address, bard.description) == ("bard.press", "Sings")
    assert bard.runner is poet.runner


@pytest.mark.parametrize(
    ("entrypoint", "message"),
    [
        ("broken_poets:poet", "broken_poets.py, line 2: ModuleNotFoundError: No module named 'no_such_module'"),
        ("unclosed:poet", "unclosed.py, line 1: SyntaxError: '(' was never closed"),
        ("ending:poet", "ending.py, line 2: SystemExit: 3"),
        ("fine_poets:nobody", "fine_poets.py: has no 'nobody'; its agents are: poet"),
        ("fine_poets:IsekAgent", "fine_poets.py: 'IsekAgent' is a class, no agent, team or adapter"),
        ("absent:poet", "absent.py: there is no such file"),
        ("json:poet", "json.py: 'json' is the name of another module of Python's; rename the file"),
    ],
)
def test_code_that_cannot_be_loaded_is_named_with_its_line(tmp_path: Path, entrypoint: str, message: str) -> None:
    code(
        tmp_path,
        "c",
        broken_poets="import json\nimport no_such_module\n",
        unclosed="poet = (\n",
        ending="import sys\nsys.exit(3)\n",
        fine_poets=POET,
        json="",
    )

    (broken,) = built(written(tmp_path, in_python("poet", "c", entrypoint)))

    assert isinstance(broken, Broken)
    assert broken.message == f"{tmp_path / 'code' / 'c'}/{message}"


def test_two_config_maps_on_a_node_share_no_names_of_files(tmp_path: Path) -> None:
    code(tmp_path, "one", verses=POET)
    code(tmp_path, "two", prose=POET, verses="")
    path = written(tmp_path, in_python("a", "one", "verses:poet"), in_python("b", "two", "prose:poet"))

    fine, broken = built(path)

    assert isinstance(fine, Hosted)
    assert isinstance(broken, Broken)
    assert "one on this node has a verses.py as well" in broken.message
