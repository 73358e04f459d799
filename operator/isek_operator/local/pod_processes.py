"""The processes that a pod becomes: its node, and its sidecar beside it."""

import asyncio
import json
import time
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException

from isek.cli.run_directory import LocalNode
from isek.node.settings import NodeSettings
from isek.processes.ports import HOST, free_port
from isek.processes.process import SupervisedProcess, inherited_environment
from isek.processes.sidecar import sidecar_environment

from isek_operator.local.console import Console
from isek_operator.local.files import MeshFiles
from isek_operator.local.plan import Pod
from isek_operator.local.programs import python_program

DRAIN_SECONDS = 10
"""For what runs when the mesh is stopped."""
STOP_SECONDS = DRAIN_SECONDS + 7
READY_POLL_SECONDS = 0.05
TELL_SECONDS = 10
PATIENCE_SECONDS = 600
"""A start takes two seconds, and minutes where a machine is slow and busy with other things."""
HOPELESS_DEATHS = 2
READY, HOPELESS = "OK", "AgentInvalid"


class PodProcesses:
    """A node process, and a sidecar process where the pod has one."""

    def __init__(
        self,
        pod: Pod,
        files: MeshFiles,
        *,
        registry_url: str,
        sidecar_command: Sequence[str],
        group: int,
        console: Console,
    ) -> None:
        self.pod = pod
        self._console = console
        self._port, api_port = free_port(), free_port()
        settings = NodeSettings.model_construct(
            node_id=pod.node_id,
            host=HOST,
            port=self._port,
            grpc_port=free_port(),
            advertise_host=HOST,
            hosted_file=files.write_hosted(pod),
            secrets_dir=files.secrets_dir(pod),
            access_dir=files.secrets_dir(pod),
            code_dir=files.write_code(pod),
            memory_dir=files.memory_dir(pod),
            registry_url=registry_url,
            p2p_api_url=f"http://{HOST}:{api_port}",
            p2p_token_file=files.sidecar_dir(pod) / "token",
            drain_seconds=DRAIN_SECONDS,
        )
        environment = inherited_environment() | dict(pod.environment) | settings.to_environment()
        self._node = SupervisedProcess(
            pod.name, python_program("isek.node.main"), environment, group=group, console=console
        )
        self._sidecar: SupervisedProcess | None = None
        if pod.p2p:
            environment = sidecar_environment(
                host=HOST,
                announce=HOST,
                api_port=api_port,
                node_url=self.url,
                state_dir=files.sidecar_dir(pod),
                key_file=files.private_network_key(pod),
                max_body_bytes=settings.max_body_bytes,
            )
            name = f"{pod.name} p2p"
            self._sidecar = SupervisedProcess(name, sidecar_command, environment, group=group, console=console)

    @property
    def url(self) -> str:
        """Where the node answers."""
        return f"http://{HOST}:{self._port}"

    def describe(self) -> LocalNode:
        """The node as the state file has it."""
        return LocalNode(self.pod.node_id, self.url, self.pod.agents, self.pod.mesh)

    def start(self) -> None:
        """Begin; the node waits for its sidecar."""
        if self._sidecar:
            self._sidecar.start()
        self._node.start()

    async def stop(self) -> None:
        """End the node, which leaves the registry and finishes what runs, and after it the sidecar."""
        await self._node.stop(within=STOP_SECONDS)
        if self._sidecar:
            await self._sidecar.stop(within=STOP_SECONDS)

    def kill(self) -> None:
        """End both at once."""
        self._node.kill()
        if self._sidecar:
            self._sidecar.kill()

    async def until_ready(self) -> bool:
        """Wait until the node is registered and can be asked.

        False: it can run nothing of what it hosts, one of the two keeps dying, or it takes far too long; the console
        has the reason. Meanwhile it tells now and then what is waited for.
        """
        began = told = time.monotonic()
        while (said := await asyncio.to_thread(_readiness, self._port)) != (READY, ""):
            code, message = said
            now = time.monotonic()
            if code == HOPELESS or self._deaths >= HOPELESS_DEATHS or now - began > PATIENCE_SECONDS:
                self._console.warn(f"{self.pod.name} does not become ready; the last lines of its processes:")
                self._repeat_last_lines()
                return False
            if now - told >= TELL_SECONDS:
                told = now
                self._console.say(f"{self.pod.name} has been starting for {now - began:.0f} s: {message}")
            await asyncio.sleep(READY_POLL_SECONDS)
        return True

    def _repeat_last_lines(self) -> None:
        for process in filter(None, (self._node, self._sidecar)):
            for text in process.last_lines:
                self._console.line(process.name, text)

    @property
    def _deaths(self) -> int:
        return max(self._node.deaths, self._sidecar.deaths if self._sidecar else 0)


def _readiness(port: int) -> tuple[str, str]:
    """``OK``, or the code of what keeps the node from being ready where it says one, and what that is."""
    connection = HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        if answer.status == 200:
            return READY, ""
        error = json.load(answer)["error"]
        return str(error["code"]), str(error["message"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return "", "its node process does not answer yet"
    finally:
        connection.close()
