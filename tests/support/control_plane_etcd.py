"""A real etcd of one or three members, as plain processes."""

import asyncio
import base64
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.support.binaries import binary
from tests.support.control_plane_process import ServerProcess, free_port
from tests.support.waiting import until


class EtcdMember:
    """One member of an ``EtcdServer``."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.port, self.peer_port = free_port(), free_port()
        self.data = folder / name
        self._log = folder / f"{name}.log"
        self._process: ServerProcess | None = None

    @property
    def endpoint(self) -> str:
        """``host:port`` of the client API."""
        return f"127.0.0.1:{self.port}"

    @property
    def peer_url(self) -> str:
        return f"http://127.0.0.1:{self.peer_port}"

    @property
    def started(self) -> bool:
        return self._process is not None

    @property
    def process(self) -> ServerProcess:
        if self._process is None:
            raise RuntimeError(f"etcd member {self.name} was not started")
        return self._process

    async def start(self, initial_cluster: str, token: str) -> None:
        client_url = f"http://{self.endpoint}"
        flags = {
            "name": self.name,
            "data-dir": str(self.data),
            "listen-client-urls": client_url,
            "advertise-client-urls": client_url,
            "listen-peer-urls": self.peer_url,
            "initial-advertise-peer-urls": self.peer_url,
            "initial-cluster": initial_cluster,
            "initial-cluster-token": token,
            "log-level": "warn",
        }
        command = [str(binary("etcd")), "--unsafe-no-fsync", *(f"--{flag}={value}" for flag, value in flags.items())]
        self._process = ServerProcess(command, log=self._log)
        await self._process.start(self.healthy)

    async def restart(self) -> None:
        """Start it again, with its data, after ``kill`` or ``stop``."""
        await self.process.start(self.healthy)

    async def kill(self) -> None:
        await self.process.kill()

    async def stop(self) -> None:
        await self.process.stop()

    def pause(self) -> None:
        """Freeze it: its clients' connections stay open and nothing answers."""
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    async def healthy(self) -> bool:
        """Whether the member serves and its cluster has a leader."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            try:
                async with session.get(f"http://{self.endpoint}/health") as answer:
                    return answer.status == 200
            except (aiohttp.ClientError, TimeoutError):
                return False

    async def call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Call etcd's JSON gateway (``/v3/kv/range`` and so on; keys and values are base64 there)."""
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
            session.post(f"http://{self.endpoint}{path}", data=json.dumps(body)) as answer,
        ):
            answer.raise_for_status()
            parsed: dict[str, Any] = await answer.json(content_type=None)
            return parsed


class EtcdServer:
    """A real etcd: one member, or three that elect a leader. Ready in under a second.

    ``async with EtcdServer() as etcd:`` or ``start``/``stop``. ``members`` can be killed, restarted, paused one by one.
    """

    def __init__(self, members: int = 1) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="isek-etcd-"))
        self.members = [EtcdMember(f"m{index}", self._folder) for index in range(members)]
        self._generation = 0

    @property
    def endpoints(self) -> list[str]:
        """``host:port`` of each member's client API."""
        return [member.endpoint for member in self.members]

    @property
    def url(self) -> str:
        """The registry address as a node's settings hold it: ``etcd://host:port[,host:port…]``."""
        return "etcd://" + ",".join(self.endpoints)

    async def start(self) -> None:
        initial_cluster = ",".join(f"{member.name}={member.peer_url}" for member in self.members)
        token = f"isek-{self._generation}"
        await asyncio.gather(*(member.start(initial_cluster, token) for member in self.members))

    async def stop(self) -> None:
        """Kill all members and remove their data: nobody needs it any more."""
        await asyncio.gather(*(member.kill() for member in self.members if member.started))
        shutil.rmtree(self._folder, ignore_errors=True)

    async def replace(self) -> None:
        """Lose everything: an empty cluster with another cluster id answers on the same addresses."""
        for member in self.members:
            await member.kill()
            shutil.rmtree(member.data)
        self._generation += 1
        await self.start()

    async def leader(self) -> EtcdMember:
        """Return the member that leads, waiting for an election under way."""
        return await until(self._leader, within=10, what="etcd has a leader", retry_on=(aiohttp.ClientError,))

    async def _leader(self) -> EtcdMember | None:
        for member in self.members:
            if member.process.running:
                status = await member.call("/v3/maintenance/status", {})
                if status.get("leader") == status["header"]["member_id"]:
                    return member
        return None

    async def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix, read from a running member."""
        member = next(member for member in self.members if member.process.running)
        start = prefix.encode()
        end = start[:-1] + bytes([start[-1] + 1])
        found = await member.call("/v3/kv/range", {"key": _base64(start), "range_end": _base64(end), "keys_only": True})
        return [base64.b64decode(item["key"]).decode() for item in found.get("kvs", [])]

    async def put(self, key: str, value: str) -> None:
        await self.members[0].call("/v3/kv/put", {"key": _base64(key.encode()), "value": _base64(value.encode())})

    async def delete(self, key: str) -> None:
        await self.members[0].call("/v3/kv/deleterange", {"key": _base64(key.encode())})

    async def compact(self) -> int:
        """Compact to the current revision and return it: watches from an older one are refused from then on."""
        header = (await self.members[0].call("/v3/maintenance/status", {}))["header"]
        await self.members[0].call("/v3/kv/compaction", {"revision": header["revision"], "physical": True})
        return int(header["revision"])

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
