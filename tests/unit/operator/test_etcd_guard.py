import json
import subprocess
import sys
from pathlib import Path

import pytest
from isek_operator import etcd_guard


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    (tmp_path / "m.json").write_text(json.dumps({"data-dir": str(tmp_path / "token" / "a1")}))
    (tmp_path / "m.admission").write_text("Joined")
    return tmp_path


def guard(volume: Path) -> int:
    return etcd_guard.main(volume / "m.json", volume / "m.admission", volume / "message")


def with_data(volume: Path, member: str = "a1") -> None:
    wal = volume / "token" / member / "member" / "wal"
    wal.mkdir(parents=True)
    (wal / "0000000000000000-0000000000000000.wal").touch()


def test_a_new_member_starts_on_an_empty_volume(volume: Path) -> None:
    (volume / "m.admission").write_text("New")

    assert guard(volume) == 0


def test_a_member_that_has_joined_starts_with_its_data(volume: Path) -> None:
    with_data(volume)

    assert guard(volume) == 0


def test_a_member_that_has_lost_its_data_is_held_back_and_says_so(volume: Path) -> None:
    with_data(volume, "another")

    assert guard(volume) == etcd_guard.DATA_LOST == 3
    assert (volume / "message").read_text().startswith("data lost: ")


def test_a_configuration_that_is_not_there_yet_is_no_lost_data(volume: Path) -> None:
    (volume / "m.json").unlink()

    assert guard(volume) == etcd_guard.NOT_CONFIGURED


def test_it_runs_as_the_pod_runs_it_and_loads_the_standard_library_alone(volume: Path) -> None:
    command = [sys.executable, "-I", "-X", "importtime", "-m", "isek_operator.etcd_guard"]
    done = subprocess.run(
        [*command, volume / "m.json", volume / "m.admission"], capture_output=True, text=True, check=False
    )

    assert done.returncode == etcd_guard.DATA_LOST
    assert "data lost" in done.stderr
    assert not {"pydantic", "kopf", "isek"} & {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
