"""Writers and watchers of an etcd in a process of their own, and what they saw."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

from tests.support import etcd_workload
from tests.support.etcd_history import Line, Verdict, judge
from tests.support.waiting import until

PROGRAM = etcd_workload.__file__


class EtcdClients:
    """Runs ``tests.support.etcd_workload`` while the ``async with`` block lasts; then ``verdict`` is known.

    Args:
        command: runs the program; it ends when its input does.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.history: list[Line] = []
        self._command = command
        self._process: asyncio.subprocess.Process
        self._reading: asyncio.Task[None]

    async def until_acknowledged(self, since: float, *, within: float = 30) -> None:
        """Wait until a write is acknowledged that began later than a moment of ``time.monotonic``."""

        def acknowledged() -> bool:
            for line in reversed(self.history):
                if line["op"] == "write" and line["outcome"] == "done" and line["start"] > since:
                    return True
            return False

        await until(acknowledged, within=within, what="a write is acknowledged")

    @property
    def verdict(self) -> Verdict:
        return judge(self.history)

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe, limit=2**20)
        self._reading = asyncio.create_task(self._read())
        try:
            await self.until_acknowledged(0)
        except BaseException:
            await self._kill()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            await self._kill()
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(60):
                await self._reading
        finally:
            await self._kill()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            found: dict[str, Any] = json.loads(line)
            self.history.append(found)

    async def _kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await asyncio.gather(self._reading, return_exceptions=True)
