"""The operator as a process of its own, with no more rights than the chart gives it."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from isek.processes.ports import free_port
from prometheus_client.parser import text_string_to_metric_families

from tests.support.control_plane_process import ServerProcess, answered
from tests.support.kubelet_container import with_hosts
from tests.support.waiting import until


class OperatorProcess:
    """``python -m isek_operator.main`` against a kubeconfig; with ``hosts`` of a kubelet it finds its pods by name."""

    def __init__(self, kubeconfig: Path, log: Path, *, hosts: Path | None = None, **settings: str) -> None:
        self.health_port, self.metrics_port, self.log = free_port(), free_port(), log
        self.environment = {
            "KUBECONFIG": str(kubeconfig),
            "ISEK_OPERATOR_HEALTH_PORT": str(self.health_port),
            "ISEK_OPERATOR_METRICS_PORT": str(self.metrics_port),
            **{f"ISEK_OPERATOR_{name.upper()}": value for name, value in settings.items()},
        }
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        command = ["env", *variables, sys.executable, "-m", "isek_operator.main"]
        self.process = ServerProcess(command if hosts is None else with_hosts(hosts, command), log=log)

    async def start(self) -> None:
        """Return once it has read the cluster."""
        await self.process.start(self._ready)

    async def stop(self) -> None:
        await self.process.stop()

    async def kill(self) -> None:
        """End it at once (SIGKILL)."""
        await self.process.kill()

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Stop it, and start it again in the end."""
        await self.stop()
        try:
            yield
        finally:
            await self.start()

    async def metric(self, name: str, **labels: str) -> float:
        """Return the sum of all samples of that name with those labels."""
        text = await answered(f"http://127.0.0.1:{self.metrics_port}/metrics")
        families = text_string_to_metric_families(text or "")
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    async def until_reconciled(self, at_least: int, *, within: float = 30) -> None:
        """Wait until it has made that many runs since its start and has nothing left to do."""

        async def settled() -> bool:
            runs = await self.metric("isek_operator_reconcile_total")
            return runs >= at_least and await self.metric("workqueue_depth") == 0

        await until(settled, within=within, what=f"the operator has made {at_least} runs and is idle")

    @property
    def rss_bytes(self) -> int:
        """Memory in use."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * 4096

    @property
    def cpu_seconds(self) -> float:
        """Processor time used since its start."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    async def _ready(self) -> bool:
        return await answered(f"http://127.0.0.1:{self.health_port}/readyz") is not None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
