"""Operators that start in a tenth of the time: forks of a process that has imported everything already."""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import traceback
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, cast

from kubernetes.config import kube_config

from tests.support import operator_insight
from tests.support.control_plane_process import ServerProcess

PR_SET_PDEATHSIG = 1
STEPS_TOLD_TO = "ISEK_TESTS_STEPS_TOLD_TO"
"""A variable of an operator: the address of the proxy that is to know of its steps with an etcd, which go past it."""


class NurseryProcess(ServerProcess):
    """An operator with an environment of its own."""

    def __init__(self, nursery: "Nursery", environment: Mapping[str, str], log: Path) -> None:
        super().__init__(["isek-operator"], log=log)
        self._nursery, self._environment = nursery, environment

    def spawn(self) -> None:
        self._process = self._nursery.fork(self._environment, self.log)


class Forked:
    """What ``subprocess.Popen`` says of a child, for the child of another process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        # a handle instead of the process id, which may be another's some day
        self._handle: int | None = None
        with suppress(ProcessLookupError):
            self._handle = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """None: it runs. What it ended with is not known."""
        if self._handle is not None and not select.select([self._handle], [], [], 0)[0]:
            return None
        return 1

    def send_signal(self, number: signal.Signals) -> None:
        if self._handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self) -> int:
        if self._handle is not None:
            select.select([self._handle], [], [])
        return 1

    def __del__(self) -> None:
        if self._handle is not None:
            os.close(self._handle)


class Nursery:
    """The process that the operators are forked from. They end with it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def process(self, environment: Mapping[str, str], log: Path) -> NurseryProcess:
        return NurseryProcess(self, environment, log)

    def fork(self, environment: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
        """Start an operator."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"environment": dict(environment), "log": str(log)}) + "\n")
        process.stdin.flush()
        return cast("subprocess.Popen[bytes]", Forked(int(process.stdout.readline())))

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.support.operator_nursery"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.communicate()


def _serve() -> None:
    from isek_operator.main import main  # noqa: PLC0415  (what makes a start slow, and only this process needs)
    from isek_operator.reconcile.etcd_steps import EtcdSteps  # noqa: PLC0415

    setattr(EtcdSteps, "_take", _told(EtcdSteps._take))  # noqa: B010 - mypy takes no other assignment
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead leave no zombies
    for line in sys.stdin:
        order = json.loads(line)
        if (pid := os.fork()) == 0:
            _live(order["environment"], order["log"], main)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _told(take: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Tell of each step with an etcd before and after it, as writes that the API server refuses."""

    async def take_and_tell(steps: Any, mesh: Any, access: Any, step: Any) -> None:
        what = f"{os.environ[STEPS_TOLD_TO]}/etcd/{type(step.action).__name__}" if STEPS_TOLD_TO in os.environ else ""
        _tell(what, "before")
        await take(steps, mesh, access, step)
        _tell(what, "after")

    return take_and_tell


def _tell(what: str, when: str) -> None:
    if what:
        with suppress(OSError):
            urllib.request.urlopen(f"{what}/{when}", data=b"{}", timeout=10)  # noqa: S310 - the proxy of the test


def _live(environment: Mapping[str, str], log: str, main: Callable[[], int]) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number, target in enumerate((os.open(os.devnull, os.O_RDONLY), output, output)):
        os.dup2(target, number)
    os.environ.update(environment)
    kube_config.KUBE_CONFIG_DEFAULT_LOCATION = environment["KUBECONFIG"]  # it was read when that was imported
    operator_insight.install()
    code = 1
    try:
        code = main()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
