"""The programs that are compared: each makes the same children of an IsekAgent, and serves Prometheus metrics."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
from isek.api import IsekAgent, IsekMesh
from isek.processes.ports import free_port
from isek_operator.cluster.children import with_hash
from isek_operator.decide.workload import Workload
from isek_operator.manifests.workload import workload_manifests
from isek_operator.settings import OperatorSettings
from prometheus_client.parser import text_string_to_metric_families

from tests.benchmarks.load import cpu_seconds, resident_mib
from tests.integration.operator.resources import agent, mesh
from tests.support.control_plane_process import ServerProcess
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
GO_MODULE = ROOT / "benchmarks" / "controller-runtime"
GO_PROGRAM = ROOT / "build" / "controller-runtime-baseline"

Command = Callable[[Path, int], list[str]]
"""From the file with the children and a free port for the metrics."""


@dataclass(frozen=True)
class Rival:
    """A program under comparison."""

    name: str
    command: Command
    limited: bool = False
    """Whether its client's limits, not the work, decide how long it takes."""


def rivals() -> tuple[Rival, ...]:
    """All of them, this operator first. Builds the one in Go."""
    build = ["go", "build", "-trimpath", "-o", str(GO_PROGRAM), "."]
    subprocess.run(build, cwd=GO_MODULE, env=os.environ | {"CGO_ENABLED": "0"}, check=True, stdout=sys.stderr)
    return (
        Rival("Isek operator", _isek),
        Rival("usual Kopf handlers", lambda children, port: _python("kopf_handlers", str(children), str(port))),
        Rival("controller-runtime, no limits", lambda children, port: _go(children, port, "--qps=-1")),
        Rival("controller-runtime, 20 QPS", _go, limited=True),
    )


def _isek(_children: Path, port: int) -> list[str]:
    ports = [f"ISEK_OPERATOR_METRICS_PORT={port}", f"ISEK_OPERATOR_HEALTH_PORT={free_port()}"]
    return ["env", *ports, sys.executable, "-m", "isek_operator.main"]


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments]


def _go(children: Path, port: int, *more: str) -> list[str]:
    return [str(GO_PROGRAM), f"--children={children}", f"--metrics=127.0.0.1:{port}", *more]


def rendered_children() -> list[dict[str, Any]]:
    """What the operator makes of an agent, with ``{name}``, ``{namespace}`` and ``{uid}`` in place of those."""
    blank = {"namespace": "blank-namespace", "uid": "blank-uid"}
    owner = agent("blank-name")
    owner["metadata"] |= blank
    ground = mesh()
    ground["metadata"] |= blank
    parsed = IsekAgent.model_validate(owner)
    workload = Workload(parsed, (parsed,), IsekMesh.model_validate(ground), "uid-of-the-key")
    text = json.dumps([with_hash(child) for child in workload_manifests(workload, OperatorSettings())])
    for field in ("namespace", "name", "uid"):
        text = text.replace(f"blank-{field}", f"{{{field}}}")
    rendered: list[dict[str, Any]] = json.loads(text)
    return rendered


class Running:
    """A rival as a process of its own."""

    def __init__(self, rival: Rival, kubeconfig: Path, folder: Path) -> None:
        children = folder / "children.json"
        children.write_text(json.dumps(rendered_children()))
        self._port = free_port()
        command = ["env", f"KUBECONFIG={kubeconfig}", *rival.command(children, self._port)]
        self.log = folder / "rival.log"
        self._process = ServerProcess(command, log=self.log)

    async def start(self) -> None:
        """Return once it serves its metrics."""
        await self._process.start(self._serves, within=120)

    async def stop(self) -> None:
        await self._process.stop()

    async def metrics(self, *suffixes: str) -> tuple[float, ...]:
        """Return, for each suffix, the sum of all samples whose name ends so."""
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
            session.get(f"http://127.0.0.1:{self._port}/metrics") as answer,
        ):
            families = text_string_to_metric_families(await answer.text())
            samples = [each for family in families for each in family.samples]
        return tuple(sum(each.value for each in samples if each.name.endswith(suffix)) for suffix in suffixes)

    async def until_checked(self, resources: int, *, within: float) -> None:
        """Wait until it has made that many runs since its start and has nothing left to do."""

        async def settled() -> bool:
            runs, waiting = await self.metrics("reconcile_total", "workqueue_depth")
            return runs >= resources and waiting == 0

        await until(settled, within=within, what=f"{resources} resources are checked", retry_on=(OSError,))

    @property
    def cpu_seconds(self) -> float:
        """Processor time used since its start."""
        return cpu_seconds(self._process.pid)

    @property
    def resident_mib(self) -> float:
        """Memory in use."""
        return resident_mib(self._process.pid)

    async def _serves(self) -> bool:
        try:
            await self.metrics()
        except aiohttp.ClientError:
            return False
        else:
            return True

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
