"""One process that is to run: started again when it dies, its lines on the console."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from isek.node.settings import PREFIX
from isek.processes import guard

BACKOFF_SECONDS = (0.5, 1, 2, 5, 10, 30)
"""Before the first, second, ... start after a death."""
SETTLED_SECONDS = 30
"""Who ran that long begins the row anew."""
LINE_BYTES = 1024 * 1024
LAST_LINES = 10


class Console(Protocol):
    """Shows what processes say."""

    def know(self, name: str) -> None:
        """Make room for a name."""

    def line(self, name: str, text: str) -> None:
        """Something that a process said."""

    def warn(self, text: str) -> None:
        """Something that went wrong."""


class Guard:
    """The leader of the process group that all processes join; its end is the end of them all."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(guard.__file__))], stdin=subprocess.PIPE, process_group=0
        )

    @property
    def group(self) -> int:
        """The id of the process group."""
        return self._process.pid

    def wait(self) -> None:
        """Return when it has ended, which is wrong before ``close``."""
        self._process.wait()

    def close(self) -> None:
        """Kill what is left of the group."""
        assert self._process.stdin is not None  # noqa: S101  (as asked for above)
        self._process.stdin.close()
        with suppress(ProcessLookupError, PermissionError):  # nobody is left
            os.killpg(self.group, signal.SIGKILL)
        self._process.wait()


def inherited_environment() -> dict[str, str]:
    """Our own environment without Isek's settings, which are meant for something else."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


class SupervisedProcess:
    """Runs a command until it is stopped.

    Args:
        name: on the console.
        environment: all of it; nothing is inherited.
        group: the process group to join.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, group: int, console: Console
    ) -> None:
        self.name = name
        """On the console."""
        self._command = tuple(command)
        self._environment = dict(environment)
        self._group = group
        self._console = console
        self._process: Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self.deaths = 0
        """How often it ended unasked."""
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        """What it said last."""
        console.know(name)

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process and self._process.returncode is None else None

    def start(self) -> None:
        """Begin."""
        self._keeping = asyncio.create_task(self._keep_running(), name=self.name)

    async def stop(self, *, within: float) -> None:
        """Ask the process to end (SIGTERM), and kill it when it has not by then (seconds)."""
        self._stopping.set()
        if self._keeping is None:
            return
        self._terminate()
        done, _ = await asyncio.wait({self._keeping}, timeout=within)
        if not done:
            self._console.warn(f"{self.name} has not ended within {within:g} s and is killed")
            self.kill()
        await self._keeping

    def kill(self) -> None:
        """End the process at once."""
        if self._process and self._process.returncode is None:
            self._process.kill()

    async def _keep_running(self) -> None:
        row = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                how = _how(await self._run())
            except OSError as error:
                how = f"before it began: {error}"
            if self._stopping.is_set():
                return
            self.deaths += 1
            row = 0 if time.monotonic() - began > SETTLED_SECONDS else row
            wait = BACKOFF_SECONDS[min(row, len(BACKOFF_SECONDS) - 1)]
            row += 1
            self._console.warn(f"{self.name} ended {how}; it is started again in {wait:g} s")
            try:
                await asyncio.wait_for(self._stopping.wait(), wait)
            except TimeoutError:
                continue

    async def _run(self) -> int:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            limit=LINE_BYTES,
            process_group=self._group,
        )
        if self._stopping.is_set():  # told to while it was being started
            self._terminate()
        assert self._process.stdout is not None  # noqa: S101  (as asked for above)
        while line := await _line(self._process.stdout):
            text = line.decode(errors="replace").rstrip()
            self.last_lines.append(text)
            self._console.line(self.name, text)
        return await self._process.wait()

    def _terminate(self) -> None:
        if self._process and self._process.returncode is None:
            self._process.terminate()


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError:  # longer than LINE_BYTES; the stream has dropped it
        return b"(a line too long to be shown)\n"


def _how(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"
