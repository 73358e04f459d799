"""A mesh of local processes: a registry, and a node with its sidecar for each pod."""

import asyncio
import sys
from collections.abc import Sequence

from isek.cli.run_directory import RunDirectory
from isek.processes.errors import LocalError
from isek.processes.ports import HOST, free_port
from isek.processes.process import Guard, SupervisedProcess, inherited_environment

from isek_operator.local.console import Console
from isek_operator.local.files import MeshFiles
from isek_operator.local.plan import Plan, Pod
from isek_operator.local.pod_processes import PodProcesses

REGISTRY_STOP_SECONDS = 3
SLOW_SECONDS = 90
"""After which those that answer can be asked, whatever the others do."""


class LocalMesh:
    """Runs what a plan asks for, and changes to another plan while it runs."""

    def __init__(self, directory: RunDirectory, sidecar_command: Sequence[str], console: Console) -> None:
        self._directory = directory
        self._files = MeshFiles(directory.path)
        self._files.clear()
        self._sidecar_command = sidecar_command
        self._console = console
        self._pods: dict[str, PodProcesses] = {}
        self._awaited: list[PodProcesses] = []
        self.starting = False
        """Whether it is not known yet what becomes of the last change."""
        self._plan: Plan | None = None
        self._guard = Guard()
        port = free_port()
        self._registry_url = f"http://{HOST}:{port}"
        command = (sys.executable, "-m", "isek.cli.main", "registry", "--port", str(port))
        self._registry = SupervisedProcess(
            "registry", command, inherited_environment(), group=self._guard.group, console=console
        )
        self._registry.start()

    async def change_to(self, plan: Plan) -> None:
        """Stop what is not wished for any more, start what is new; what stays the same goes on running."""
        self.starting, self._plan = True, plan
        wanted = {pod.node_id: pod for pod in plan.pods}
        self._files.write_secrets(plan.secrets)
        outdated = [node_id for node_id, running in self._pods.items() if running.pod != wanted.get(node_id)]
        await asyncio.gather(*(self._stop_pod(node_id) for node_id in outdated))
        started = [self._start_pod(pod) for node_id, pod in wanted.items() if node_id not in self._pods]
        self._awaited = [pod for pod in self._awaited if pod in self._pods.values()] + started

    async def until_ready(self) -> bool:
        """Wait until all that was started answers (true), or is not going to (false)."""
        waiting = asyncio.gather(*(pod.until_ready() for pod in self._awaited))
        try:
            await asyncio.wait({waiting}, timeout=SLOW_SECONDS)
            self._describe()
            ready = await waiting
        finally:
            waiting.cancel()
        self.starting, self._awaited = False, []
        return all(ready)

    @property
    def registry_url(self) -> str:
        """Where the nodes find each other."""
        return self._registry_url

    def urls(self) -> list[tuple[str, str]]:
        """Each agent and team with where it can be asked."""
        return sorted(
            (address, f"{pod.url}/agents/{address.partition('.')[0]}")
            for pod in self._pods.values()
            for address in pod.pod.agents
        )

    async def until_unguarded(self) -> None:
        """Return never.

        Raises:
            LocalError: the guard was killed, so that nothing would end the processes if we were killed as well.
        """
        await asyncio.to_thread(self._guard.wait)
        raise LocalError("the process that guards the others was killed; start the mesh again")

    async def stop(self) -> None:
        """End everything: the nodes, each before its sidecar, and the registry last."""
        await asyncio.gather(*(self._stop_pod(node_id) for node_id in list(self._pods)))
        await self._registry.stop(within=REGISTRY_STOP_SECONDS)

    def close(self) -> None:
        """Kill what still runs, and remove all files."""
        self._guard.close()
        self._files.clear()

    def _describe(self) -> None:
        assert self._plan is not None  # noqa: S101  (it was changed to)
        nodes = [pod.describe() for pod in self._pods.values()]
        keys = {pod.mesh_id: self._files.private_network_key(pod) for pod in self._plan.pods if pod.p2p}
        self._directory.write(self._registry_url, self._plan.pods[0].mesh_id, nodes, keys)

    def _start_pod(self, pod: Pod) -> PodProcesses:
        processes = PodProcesses(
            pod,
            self._files,
            registry_url=self._registry_url,
            sidecar_command=self._sidecar_command,
            group=self._guard.group,
            console=self._console,
        )
        self._pods[pod.node_id] = processes
        processes.start()
        return processes

    async def _stop_pod(self, node_id: str) -> None:
        await self._pods[node_id].stop()
        self._pods.pop(node_id, None)
