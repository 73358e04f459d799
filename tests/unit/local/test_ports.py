"""Free ports, where several processes look for some at once."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from isek.processes import ports as module
from isek.processes.errors import LocalError
from isek.processes.ports import SHARE, free_port

PROGRAM = """
from isek.processes.ports import SHARE, free_port
print(*[free_port() for _ in range(3 * SHARE)], flush=True)
input()
"""


def test_processes_that_run_at_once_are_given_different_ports() -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    lines = [process.stdout.readline() for process in processes if process.stdout]
    ends = [process.communicate("\n") and process.returncode for process in processes]

    ports = [port for line in lines for port in line.split()]
    assert ends == [0, 0, 0]
    assert len(ports) == 9 * SHARE
    assert len(set(ports)) == len(ports)


def test_what_is_in_the_way_of_the_file_that_keeps_them_apart_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    module._ports.cache_clear()
    (tmp_path / f"isek-ports-{os.getuid()}").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(LocalError, match=r"cannot keep ports apart by .*isek-ports-\d+: Too many levels"):
        free_port()
