"""A real etcd of one or three members, as plain processes."""

import asyncio
import base64
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp
from isek.processes.ports import free_port

from tests.support.binaries import binary
from tests.support.control_plane_process import ServerProcess, accepts, answered
from tests.support.waiting import until


class EtcdMember:
    """One member, over plain text, or with ``server.crt``, ``server.key`` and ``ca.crt`` of a folder ``tls``."""

    def __init__(self, name: str, folder: Path, *, tls: Path | None = None) -> None:
        self.name, self._tls = name, tls
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
        return f"{self._scheme}://127.0.0.1:{self.peer_port}"

    @property
    def _scheme(self) -> str:
        return "http" if self._tls is None else "https"

    @property
    def started(self) -> bool:
        return self._process is not None

    @property
    def process(self) -> ServerProcess:
        if self._process is None:
            raise RuntimeError(f"etcd member {self.name} was not started")
        return self._process

    async def start(self, initial: "Sequence[EtcdMember]", **more: str | int) -> None:
        """Start it as one of these members; ``more`` are flags of etcd with underscores."""
        client_url = f"{self._scheme}://{self.endpoint}"
        flags = {
            "name": self.name,
            "data-dir": str(self.data),
            "listen-client-urls": client_url,
            "advertise-client-urls": client_url,
            "listen-peer-urls": self.peer_url,
            "initial-advertise-peer-urls": self.peer_url,
            "initial-cluster": ",".join(f"{each.name}={each.peer_url}" for each in initial),
            "log-level": "warn",
            **self._security(),
            **{flag.replace("_", "-"): value for flag, value in more.items()},
        }
        command = [str(binary("etcd")), "--unsafe-no-fsync", *(f"--{flag}={value}" for flag, value in flags.items())]
        self._process = ServerProcess(command, log=self._log)
        await self._process.start(self.healthy)

    def _security(self) -> dict[str, str]:
        if self._tls is None:
            return {}
        files = {"cert-file": "server.crt", "key-file": "server.key", "trusted-ca-file": "ca.crt"}
        flags = {"client-cert-auth": "true", **{flag: str(self._tls / name) for flag, name in files.items()}}
        return {**flags, **{f"peer-{flag}": value for flag, value in flags.items()}}

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
        """Whether the member serves and its cluster has a leader; over TLS, whether it listens."""
        if self._tls is not None:
            return await accepts(self.port)
        return await answered(f"http://{self.endpoint}/health") is not None

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
        token = f"isek-{self._generation}"
        await asyncio.gather(*(member.start(self.members, initial_cluster_token=token) for member in self.members))

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
