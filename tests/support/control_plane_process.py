"""One server program as a child process: started, watched, killed, paused."""

import asyncio
import atexit
import signal
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import aiohttp

from tests.support.waiting import until


class ProcessFailedError(Exception):
    """A program ended when it should have run; the message ends with its last log lines."""


class ServerProcess:
    """A program that serves until it is told to end. Its output goes to ``log``, a file."""

    def __init__(self, command: Sequence[str | Path], *, log: Path) -> None:
        self.command = [str(part) for part in command]
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return Path(self.command[0]).name

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ProcessFailedError(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None: it runs; negative: the signal that ended it."""
        return None if self._process is None else self._process.poll()

    async def start(self, ready: Callable[[], Awaitable[bool]], *, within: float = 60) -> None:
        """Start the program and wait until ``ready`` says yes.

        Raises:
            ProcessFailedError: it ended, or was not ready in ``within`` seconds.

        """
        self.spawn()

        async def ready_or_ended() -> bool:
            return not self.running or await ready()

        try:
            await until(ready_or_ended, within=within, what=f"{self.name} is ready", retry_on=(OSError,))
        except AssertionError as error:
            await self.stop()
            raise ProcessFailedError(f"{error}\n{self._last_lines()}") from None
        if not self.running:
            raise ProcessFailedError(f"{self.name} ended:\n{self._last_lines()}")

    def spawn(self) -> None:
        """Start the program without waiting for anything."""
        # not asyncio's: such a process outlives the event loop of the fixture that started it
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        atexit.register(self._kill)

    async def stop(self) -> None:
        """End it as its owner would (SIGTERM; SIGKILL after 10 s)."""
        if self._process is None:
            return
        if self.running:
            self.terminate()
            with suppress(AssertionError):
                await until(lambda: not self.running, within=10, what=f"{self.name} ends")
        await self.kill()

    async def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._kill()
        atexit.unregister(self._kill)

    def terminate(self) -> None:
        """Tell it to end (SIGTERM), also while it is frozen."""
        self.resume()
        self._signal(signal.SIGTERM)

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after ``pause``."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


async def answered(url: str, *, token: str = "") -> str | None:
    """What a server says with status 200; None: nothing, or something else. Its certificate is not looked at."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5), headers=headers) as session:
        try:
            async with session.get(url, ssl=False) as answer:
                return await answer.text() if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError):
            return None


async def accepts(port: int) -> bool:
    """Whether something listens on the port of 127.0.0.1."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
