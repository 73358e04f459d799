"""Free ports, where several processes look for some at once."""

import subprocess
import sys

PROGRAM = """
from isek.processes.ports import SHARE, free_port
print(*[free_port() for _ in range(SHARE // 2)], flush=True)
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
    assert len(ports) == 300
    assert len(set(ports)) == len(ports)
