import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from isek_operator import etcd_guard

MESH = "0a1b2c3d-0000-4000-8000-000000000001"
FORMER_MESH = "0a1b2c3d-0000-4000-8000-000000000002"
CLUSTER = f"{MESH}-2"


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    (tmp_path / "m.json").write_text(json.dumps({"data-dir": str(tmp_path / CLUSTER / "a1")}))
    (tmp_path / "m.admission").write_text("Joined")
    return tmp_path


def guard(volume: Path) -> int:
    return etcd_guard.main(volume / "m.json", volume / "m.admission", volume / "message")


def with_data(volume: Path, member: str = "a1", *, cluster: str = CLUSTER) -> Path:
    wal = volume / cluster / member / "member" / "wal"
    wal.mkdir(parents=True)
    (wal / "0000000000000000-0000000000000000.wal").write_bytes(bytes(3 * 1024 * 1024))
    return volume / cluster / member


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


@pytest.mark.parametrize("cluster", [f"{MESH}-1", f"{FORMER_MESH}-7"])
def test_a_member_gets_the_room_that_a_former_cluster_took_up(
    volume: Path, cluster: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with_data(volume, "first", cluster=cluster)
    (volume / "m.admission").write_text("New")

    assert guard(volume) == 0

    assert not (volume / cluster).exists()
    assert capsys.readouterr().err == f"removed {volume / cluster}, which no member can use again: 3 MiB\n"


def test_a_member_keeps_its_own_data_and_gets_the_room_of_whom_it_takes_the_place_of(volume: Path) -> None:
    own, former = with_data(volume), with_data(volume, "first")

    assert guard(volume) == 0

    assert own.exists()
    assert not former.exists()


def test_what_a_later_cluster_wrote_stays_where_the_configuration_is_one_of_before(volume: Path) -> None:
    with_data(volume)
    later = with_data(volume, "first", cluster=f"{MESH}-10")

    assert guard(volume) == 0

    assert later.exists()


@pytest.mark.parametrize("admission", ["Joined", "Removed"])
def test_nothing_is_removed_for_a_member_that_is_not_to_run(volume: Path, admission: str) -> None:
    (volume / "m.admission").write_text(admission)
    if admission == "Removed":
        with_data(volume)
    others = [with_data(volume, "b2"), with_data(volume, "first", cluster=f"{MESH}-1")]

    guard(volume)

    assert all(each.exists() for each in others)


def test_folders_that_are_no_cluster_s_are_left_alone(volume: Path) -> None:
    with_data(volume)
    (volume / "lost+found").mkdir()
    (volume / f"{MESH}-1").symlink_to(volume / CLUSTER)

    assert guard(volume) == 0

    assert (volume / "lost+found").exists()
    assert (volume / CLUSTER / "a1").exists()


def test_what_cannot_be_removed_is_said_and_keeps_no_member_from_starting(
    volume: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_data(volume)
    former = with_data(volume, "first", cluster=f"{MESH}-1").parent

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)

    assert guard(volume) == 0
    assert capsys.readouterr().err.startswith(f"could not remove {former}")


def test_it_runs_as_the_pod_runs_it_and_loads_the_standard_library_alone(volume: Path) -> None:
    command = [sys.executable, "-I", "-X", "importtime", "-m", "isek_operator.etcd_guard"]
    done = subprocess.run(
        [*command, volume / "m.json", volume / "m.admission"], capture_output=True, text=True, check=False
    )

    assert done.returncode == etcd_guard.DATA_LOST
    assert "data lost" in done.stderr
    assert not {"pydantic", "kopf", "isek"} & {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
