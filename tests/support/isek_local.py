"""The isek command and ``isek up`` as a user of one machine runs them, with a home of their own."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.waiting import until

PROGRAM = Path(sys.executable).with_name("isek")
START_SECONDS = 100
STOP_SECONDS = 40


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Home:
    """A user with nothing but what a test gives them."""

    folder: Path
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """No kubeconfig, no API key, no other local mesh."""
        hidden = {"OPENAI_API_KEY", "KUBECONFIG"}
        inherited = {name: value for name, value in os.environ.items() if name not in hidden}
        return (
            inherited | {"HOME": str(self.folder), "XDG_STATE_HOME": str(self.folder / "state")} | dict(self.variables)
        )

    async def isek(self, *arguments: str | Path) -> Finished:
        """Run ``isek ARGUMENTS``."""
        process = await asyncio.create_subprocess_exec(
            PROGRAM, *map(str, arguments), stdout=PIPE, stderr=PIPE, env=self.environment, cwd=self.folder
        )
        out, err = await process.communicate()
        return Finished(process.returncode or 0, out.decode(), err.decode())


class RunningUp:
    """``isek up``; the end of the context stops it."""

    def __init__(self, home: Home, *arguments: str | Path, ready: bool = True) -> None:
        self._home = home
        self._arguments: Sequence[str] = [str(each) for each in arguments]
        self._wait_until_ready = ready
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.lines: list[str] = []

    @property
    def pid(self) -> int:
        """Of ``isek up`` itself."""
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            PROGRAM,
            "up",
            *self._arguments,
            stdout=PIPE,
            stderr=STDOUT,
            env=self._home.environment,
            cwd=self._home.folder,
        )
        self._reading = asyncio.create_task(self._read(self._process))
        if self._wait_until_ready:
            await self.until_said(r"ready after", within=START_SECONDS)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
        await self.until_ended()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to ``isek up`` alone."""
        assert self._process is not None
        self._process.send_signal(number)

    async def until_ended(self) -> int:
        """Wait for the end; returns the exit code."""
        assert self._process is not None
        assert self._reading is not None
        code = await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        await self._reading
        return code

    async def until_said(self, pattern: str, *, within: float = START_SECONDS, after: int = 0) -> str:
        """Wait for a line, from the line number ``after`` on, in which ``pattern`` is found."""

        def said() -> str | None:
            assert self._process is not None
            found = next((line for line in self.lines[after:] if re.search(pattern, line)), None)
            if found is None and self._process.returncode is not None:
                raise RuntimeError(f"isek up ended before it said {pattern!r}: {self.lines}")
            return found

        return await until(said, what=f"isek up says {pattern!r}; so far: {self.lines}", within=within)

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.lines.append(line.decode().rstrip())


async def children(pid: int) -> dict[int, str]:
    """The processes that a process has started, with their command lines."""
    process = await asyncio.create_subprocess_exec("ps", "-ww", "-eo", "pid=,ppid=,args=", stdout=PIPE)
    out, _ = await process.communicate()
    rows = (line.split(maxsplit=2) for line in out.decode().splitlines())
    return {int(row[0]): row[2] for row in rows if int(row[1]) == pid}


async def alive(pids: set[int]) -> set[int]:
    """Those that still run; one that has ended and that nobody has waited for does not count."""
    process = await asyncio.create_subprocess_exec("ps", "-eo", "pid=,stat=", stdout=PIPE)
    out, _ = await process.communicate()
    rows = (line.split() for line in out.decode().splitlines())
    return {int(pid) for pid, state in rows if not state.startswith("Z")} & pids
