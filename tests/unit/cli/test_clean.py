import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from isek.cli.main import main
from isek.cli.run_directory import RunDirectory


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def abandoned(name: str) -> Path:
    directory = RunDirectory(name)
    lock = directory.lock()
    assert lock is not None
    os.close(lock)
    return directory.path


def test_what_runs_stays_and_the_rest_goes() -> None:
    left, running = abandoned("left"), RunDirectory("running")
    lock = running.lock()
    assert lock is not None

    shown = CliRunner().invoke(main, ["clean", "--yes"])

    assert shown.output.splitlines() == [str(left), "removed"]
    assert not left.exists()
    assert running.path.exists()
    os.close(lock)


def test_it_asks_first() -> None:
    left = abandoned("left")

    shown = CliRunner().invoke(main, ["clean"], input="n\n")

    assert shown.exit_code == 1
    assert left.exists()


def test_where_nothing_is_left_it_says_so(tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["clean"]).output == f"nothing to remove in {tmp_path / 'isek'}\n"
