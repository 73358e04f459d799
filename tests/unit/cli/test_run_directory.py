import os
from pathlib import Path

import pytest
from isek.cli.run_directory import LocalNode, RunDirectory
from isek.processes.local_mesh import key_of_local_mesh

NODE = LocalNode("a-agent-0.default", "http://127.0.0.1:20000", ("a.default",), "default/default")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return RunDirectory()


def test_nothing_runs_where_nobody_has_been(directory: RunDirectory) -> None:
    assert directory.running_pid() is None
    assert directory.read() is None


def test_whoever_holds_the_lock_runs(directory: RunDirectory) -> None:
    lock = directory.lock()
    assert lock is not None
    assert directory.running_pid() == os.getpid()
    assert directory.read() is None  # still starting

    directory.write("http://127.0.0.1:20001", "default.default", [NODE])
    mesh = directory.read()

    assert mesh is not None
    assert (mesh.registry, mesh.nodes, mesh.addresses) == ("http://127.0.0.1:20001", (NODE,), ["a.default"])
    os.close(lock)


def test_programs_find_the_key_of_a_mesh_by_its_registry(directory: RunDirectory) -> None:
    key = directory.path / "a.key"
    lock = directory.lock()
    assert lock is not None

    directory.write("http://127.0.0.1:20001", "default.default", [NODE], {"default.default": key})

    assert key_of_local_mesh("http://127.0.0.1:20001", "default.default") == key
    assert key_of_local_mesh("http://localhost:20001", "default.default") == key
    assert key_of_local_mesh("http://127.0.0.1:20001", "other.default") is None
    assert key_of_local_mesh("http://127.0.0.1:20002", "default.default") is None
    directory.forget()
    assert key_of_local_mesh("http://127.0.0.1:20001", "default.default") is None
    os.close(lock)


def test_the_lock_is_for_one(directory: RunDirectory) -> None:
    lock = directory.lock()
    assert lock is not None
    assert RunDirectory().lock() is None
    os.close(lock)


def test_what_a_killed_mesh_has_left_does_not_count(directory: RunDirectory) -> None:
    lock = directory.lock()
    assert lock is not None
    directory.write("http://127.0.0.1:20001", "default.default", [NODE])
    os.close(lock)  # as the kernel does it

    assert directory.read() is None


def test_a_damaged_state_file_is_no_mesh(directory: RunDirectory) -> None:
    lock = directory.lock()
    assert lock is not None
    (directory.path / "state.json").write_text('{"nodes": [')

    assert directory.read() is None
    os.close(lock)
