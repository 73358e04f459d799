"""The real relay as a process, as it runs in a pod."""

import asyncio
import os
from asyncio.subprocess import Process
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from isek.processes.ports import free_port
from isek_operator.peer_identity import PeerIdentity

from tests.support.sidecar import NODE_JS, sidecar_bundle
from tests.support.waiting import until


class RelayProcess:
    """Starts a relay and waits until it is ready; the end of the context kills it. It may be started again."""

    def __init__(self, folder: Path, *, private_network_key: Path | None = None) -> None:
        folder.mkdir()
        identity = PeerIdentity.new()
        (folder / "identity").write_bytes(identity.private_key)
        port, health = free_port(), free_port()
        self.peer_id = identity.peer_id
        self.address = f"/ip4/127.0.0.1/tcp/{port}/p2p/{identity.peer_id}"
        self.health_url = f"http://127.0.0.1:{health}"
        self._environment = {
            "ISEK_P2P_IDENTITY_FILE": str(folder / "identity"),
            "ISEK_P2P_LISTEN_HOST": "127.0.0.1",
            "ISEK_P2P_LISTEN_PORT": str(port),
            "ISEK_P2P_WEBSOCKET_PORT": "0",
            "ISEK_P2P_HEALTH_HOST": "127.0.0.1",
            "ISEK_P2P_HEALTH_PORT": str(health),
        }
        if private_network_key is not None:
            self._environment["ISEK_P2P_PRIVATE_NETWORK_KEY_FILE"] = str(private_network_key)
        self._log = folder / "log"
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ISEK_")}
        with self._log.open("a") as log:
            self._process = process = await asyncio.create_subprocess_exec(
                str(NODE_JS), str(sidecar_bundle()), "relay", env={**inherited, **self._environment}, stderr=log
            )

        async def ready() -> bool:
            if process.returncode is not None:
                raise RuntimeError(f"the relay ended: {self._log.read_text()}")
            try:
                async with aiohttp.request("GET", f"{self.health_url}/readyz") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await until(ready, what="the relay is ready", within=30)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.returncode is None:
            await self.kill()

    async def kill(self) -> None:
        """End it without a word."""
        assert self._process is not None, "not started"
        self._process.kill()
        await self._process.wait()
