"""A real ``isek-node`` process."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml
from isek.node.settings import NodeSettings

from tests.support.waiting import until

START_SECONDS = 60
EXIT_SECONDS = 15


class NodeProcess:
    """Starts a node that hosts ``resources`` and waits until it is ready; the end of the context stops it.

    Args:
        folder: for its files.
        environment: more variables, such as an API key.
        inside: the beginning of a command that runs another, such as ``ip netns exec``.
        settings: what differs from the defaults; the port is any free one.
    """

    def __init__(
        self,
        folder: Path,
        resources: Sequence[dict[str, Any]] | str,
        *,
        ready: bool = True,
        environment: dict[str, str] | None = None,
        inside: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        text = resources if isinstance(resources, str) else yaml.safe_dump_all(resources)
        node_id = settings.setdefault("node_id", "node.default")
        hosted_file = folder / f"{node_id}.yaml"
        hosted_file.write_text(text)
        self.settings = NodeSettings(**{"host": "127.0.0.1", "port": 0, "hosted_file": hosted_file, **settings})
        self._ready = ready
        self._environment = environment or {}
        self._inside = inside
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.log: list[str] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        """The process."""
        return self._running().pid

    async def start(self) -> None:
        """Start the process, and wait until it listens, or is ready."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ISEK_", "OPENAI_"))}
        environment = {**inherited, **self._environment, **self.settings.to_environment(), "ISEK_LOG_FORMAT": "Text"}
        command = str(Path(sys.executable).with_name("isek-node"))
        self._process = await asyncio.create_subprocess_exec(*self._inside, command, env=environment, stderr=PIPE)
        self._reading = asyncio.create_task(self._read_log())
        listening = await until(
            lambda: self._line("listening"), what=f"{self.settings.node_id} listens", within=START_SECONDS
        )
        port = listening.partition("port=")[2].split()[0]
        self.url = f"http://127.0.0.1:{port}"
        if self._ready:
            await until(lambda: self._line("joined"), what=f"{self.settings.node_id} has joined", within=START_SECONDS)

    async def stop(self) -> int:
        """Tell it to stop, if it runs still; its exit code."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        return await self.exit_code()

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._running().send_signal(number)

    async def exit_code(self, within: float = EXIT_SECONDS) -> int:
        """Wait for its end; it is killed when that takes too long."""
        process = self._running()
        try:
            async with asyncio.timeout(within):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise AssertionError(f"{self.settings.node_id} did not stop within {within} s:\n{self.text}") from None
        if self._reading is not None:
            await self._reading
        return code

    @property
    def text(self) -> str:
        """Its log so far."""
        return "\n".join(self.log)

    def _line(self, word: str) -> str | None:
        process = self._running()
        found = next((line for line in self.log if re.search(rf" isek\.node\S*: {word}", line)), None)
        if found is None and process.returncode is not None:
            raise RuntimeError(f"{self.settings.node_id} ended with {process.returncode}:\n{self.text}")
        return found

    def _running(self) -> Process:
        assert self._process is not None, "not started"
        return self._process

    async def _read_log(self) -> None:
        stderr = self._running().stderr
        assert stderr is not None
        async for line in stderr:
            self.log.append(line.decode().rstrip())


async def ask(
    url: str, message: str, *, agent: str | None = None, headers: dict[str, str] | None = None, **more: str
) -> tuple[int, dict[str, Any]]:
    """Ask in the plain form, with ``more`` fields; the HTTP status and the JSON answer."""
    path = "/" if agent is None else f"/agents/{agent}"
    body = {"sender_node_id": "test", "message": message, **more}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url + path, json=body, headers=headers) as response,
    ):
        return response.status, await response.json()


def agent(name: str, model: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """An IsekAgent as in YAML."""
    return _resource("IsekAgent", name, {"model": model, **spec})


def scripted(*turns: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A scripted model as in YAML."""
    return {"provider": "Scripted", "script": list(turns), **spec}


def team(name: str, *members: str, **spec: Any) -> dict[str, Any]:
    """An IsekTeam of agents as in YAML."""
    return _resource("IsekTeam", name, {"members": [{"agent": {"name": member}} for member in members], **spec})


def _resource(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "isek.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
