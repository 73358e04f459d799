"""How fast the operator is: ``python -m tests.benchmarks.operator_burst [RESOURCES]``.

A real API server and a real operator, each a process of its own on this machine. Prints a table: the time from the API
server's answer to an applied IsekAgent until its Deployment is there, the operator's processor time and memory, the
time in which a restarted operator has checked everything, and what it writes then.
"""

import asyncio
import json
import ssl
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import yaml

from tests.integration.operator.operator_process import OperatorProcess
from tests.integration.operator.resources import agent
from tests.support.control_plane import ControlPlane
from tests.support.waiting import until

CRDS = Path(__file__).parents[2] / "crds"
AT_A_TIME = 16
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


class Deployments:
    """When each Deployment was first seen."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._control_plane = control_plane
        self.seen: dict[str, float] = {}

    async def watch(self) -> None:
        context = ssl.create_default_context(cafile=self._control_plane.ca)
        headers = {"Authorization": f"Bearer {self._control_plane.admin.token}", "Accept": METADATA}
        url = f"{self._control_plane.url}/apis/apps/v1/deployments?watch=true"
        timeout = aiohttp.ClientTimeout(total=None)
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), timeout=timeout) as session,
            session.get(url, headers=headers) as answer,
        ):
            async for line in answer.content:
                self.seen.setdefault(json.loads(line)["object"]["metadata"]["name"], time.monotonic())


async def main(resources: int) -> None:
    definitions = [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]
    with tempfile.TemporaryDirectory() as folder:
        async with ControlPlane(definitions=definitions) as control_plane:
            log = Path(folder) / "operator.log"
            async with OperatorProcess(control_plane.admin.kubeconfig, log) as operator:
                await control_plane.kube.apply(agent("first"))
                await control_plane.kube.until_exists("Deployment", "first-agent")
                rows = await burst(control_plane, operator, resources)
                await operator.stop()
                rows |= await restart(operator, resources)
    print("| | |\n|---|---|")  # noqa: T201
    for name, value in rows.items():
        print(f"| {name} | {value} |")  # noqa: T201


async def burst(control_plane: ControlPlane, operator: OperatorProcess, resources: int) -> dict[str, str]:
    deployments, applied = Deployments(control_plane), {}
    watching = asyncio.create_task(deployments.watch())
    await until(lambda: deployments.seen, what="the watch has begun")
    idle_rss, cpu = operator.rss_bytes, operator.cpu_seconds
    places = asyncio.Semaphore(AT_A_TIME)

    async def apply(name: str) -> None:
        async with places:
            await control_plane.kube.apply(agent(name))
            applied[f"{name}-agent"] = time.monotonic()

    began = time.monotonic()
    await asyncio.gather(*(apply(f"agent-{number}") for number in range(resources)))
    all_applied = time.monotonic() - began
    await until(lambda: len(deployments.seen) > resources, within=300, what="all Deployments are there")
    latencies = sorted(max(deployments.seen[name] - at, 0.0) for name, at in applied.items())
    all_there = max(deployments.seen.values()) - began
    await operator.until_reconciled(resources, within=300)
    cpu = operator.cpu_seconds - cpu
    watching.cancel()
    return {
        f"{resources} resources applied in": f"{all_applied:.2f} s",
        "applied to Deployment, p50": f"{latencies[len(latencies) // 2]:.2f} s",
        "applied to Deployment, p99": f"{latencies[len(latencies) * 99 // 100]:.2f} s",
        "Deployments per second": f"{resources / all_there:.0f}",
        "operator's CPU per resource": f"{cpu / resources * 1000:.1f} ms",
        "writes per resource": f"{await operator.metric('isek_operator_writes_total') / (resources + 1):.2f}",
        "operator's memory before / after": f"{idle_rss / 2**20:.0f} / {operator.rss_bytes / 2**20:.0f} MiB",
    }


async def restart(operator: OperatorProcess, resources: int) -> dict[str, str]:
    began = time.monotonic()
    await operator.start()
    read = time.monotonic() - began
    await operator.until_reconciled(resources, within=300)
    checked, cpu = time.monotonic() - began, operator.cpu_seconds
    return {
        "restart: process started and cluster read": f"{read:.2f} s",
        "restart: everything checked": f"{checked:.2f} s ({cpu:.2f} s of CPU)",
        "restart: writes": f"{await operator.metric('isek_operator_writes_total'):.0f}",
        "memory after the restart": f"{operator.rss_bytes / 2**20:.0f} MiB",
    }


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300))
