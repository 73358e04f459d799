import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from isek.cli.main import main
from isek.cli.run_directory import LocalNode, RunDirectory


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def _mesh() -> Iterator[None]:
    directory = RunDirectory()
    lock = directory.lock()
    assert lock is not None
    nodes = [LocalNode(f"{name}.press", f"http://127.0.0.1:{port}", (f"{name}.press",), "m/m") for name, port in AGENTS]
    directory.write("http://127.0.0.1:1", "m/m", nodes)
    yield
    os.close(lock)


AGENTS = (("writer", 1), ("editor", 2))


def chat(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["chat", "--web", *arguments])


def test_without_a_local_mesh_it_says_what_to_start_and_where_a_cluster_has_the_page() -> None:
    shown = chat()

    assert shown.exit_code == 1
    assert "no local mesh 'local' is running; start one with `isek up -f FOLDER`" in shown.output
    assert "ui.enabled" in shown.output


@pytest.mark.usefixtures("_mesh")
def test_where_the_page_is_not_installed_it_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))

    shown = chat()

    assert shown.exit_code == 1
    assert "the chat page is not installed" in shown.output
    assert f"-m venv {tmp_path}/venv/ui" in shown.output


@pytest.mark.usefixtures("_mesh")
def test_an_agent_that_is_not_there_is_refused_with_the_one_that_was_meant() -> None:
    shown = chat("writter", "-n", "press")

    assert shown.exit_code == 1
    assert "there is no agent or team 'writter' in namespace 'press' of the local mesh; did you mean writer?" in (
        shown.output
    )


@pytest.mark.usefixtures("_mesh")
def test_the_page_is_told_of_the_nodes_and_of_whom_to_begin_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "venv" / "ui" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.touch()
    became: list[tuple[Path, list[str], dict[str, str]]] = []
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setenv("ISEK_UI_HOST", "0.0.0.0")
    monkeypatch.setattr(os, "execve", lambda *arguments: became.append(arguments))

    chat("editor.press", "--port", "8123")

    [(python, arguments, environment)] = became
    assert (python, arguments[1:]) == (program, ["-m", "isek_ui"])
    assert {name: value for name, value in environment.items() if name.startswith("ISEK_UI_")} == {
        "ISEK_UI_NODES": "http://127.0.0.1:1,http://127.0.0.1:2",
        "ISEK_UI_DATA": str(RunDirectory().path / "chat"),
        "ISEK_UI_PORT": "8123",
        "ISEK_UI_AGENT": "editor.press",
    }


def test_without_a_page_somebody_to_talk_with_has_to_be_named() -> None:
    shown = CliRunner().invoke(main, ["chat"])

    assert shown.exit_code == 2
    assert "isek chat TARGET; or choose on a page: isek chat --web" in shown.output
