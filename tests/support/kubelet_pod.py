"""One pod: its containers in the order of their lives, and what kubelet says about them."""

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.control_plane_process import ServerProcess
from tests.support.kube import KubeClient, KubeError, Object
from tests.support.kubelet_container import container_process, expand
from tests.support.kubelet_volumes import Volumes
from tests.support.waiting import until

PROBE_SECONDS = 0.2
"""Starts and readiness are looked at more often than asked for, so that tests need not wait."""
BACKOFF_SECONDS = (0.1, 0.2, 0.5, 1, 2)


class Container:
    """One container of a pod through its restarts."""

    def __init__(self, spec: Object) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        self.process: ServerProcess | None = None
        self.ready = False
        self.restarts = 0
        self.state: Object = {"waiting": {"reason": "PodInitializing"}}
        self.last_state: Object = {}

    def status(self) -> Object:
        return {
            "name": self.name,
            "image": self.spec["image"],
            "imageID": "",
            "ready": self.ready,
            "started": "running" in self.state,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last_state,
        }


class Pod:
    """Runs a pod that was bound to this machine, until ``stop`` or ``crash``.

    Args:
        found: the pod as the API server has it.
        folder: its own.
        volumes: what it mounts.
        hosts: its names of other pods.
        address: its own, ``podIP``.
        changed: called when it becomes ready or not.
    """

    def __init__(
        self,
        found: Object,
        kube: KubeClient,
        *,
        folder: Path,
        volumes: Volumes,
        hosts: Path,
        address: str,
        changed: Callable[[], None],
    ) -> None:
        meta = found["metadata"]
        self.name, self.namespace, self.uid = meta["name"], meta["namespace"], meta["uid"]
        self.spec: Object = found["spec"]
        self.address = address
        self.volumes = volumes
        self.ready = False
        self._labels: Mapping[str, str] = meta.get("labels", {})
        self._kube = kube.in_namespace(self.namespace)
        self._folder, self._hosts = folder, hosts
        self._changed = changed
        self._init = [Container(spec) for spec in self.spec.get("initContainers", [])]
        self._containers = [Container(spec) for spec in self.spec["containers"]]
        self._started_at = _now()
        self._news = asyncio.Event()
        self._running: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to run it, and to report about it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._news.set()
        self._running = [asyncio.create_task(self._live()), asyncio.create_task(self._report())]

    def process(self, container: str) -> ServerProcess:
        """The process of a container that runs."""
        [found] = [found.process for found in (*self._init, *self._containers) if found.name == container]
        assert found is not None, f"{self.name} has not started {container}"
        return found

    def selected_by(self, selector: Mapping[str, str]) -> bool:
        return selector.items() <= self._labels.items()

    @property
    def failure(self) -> BaseException | None:
        """A fault of this kubelet's own."""
        ended = (task for task in self._running if task.done() and not task.cancelled())
        return next((error for task in ended if (error := task.exception())), None)

    async def stop(self, grace_seconds: float) -> None:
        """End it as somebody who deleted it wants it: SIGTERM, after the grace SIGKILL."""
        processes = await self._abandon()
        for process in processes:
            process.terminate()
        with suppress(AssertionError):
            await until(
                lambda: not any(process.running for process in processes), within=grace_seconds, what="the pod ends"
            )
        await self.crash()

    async def crash(self) -> None:
        """End all its processes at once, and run them no more."""
        for process in await self._abandon():
            await process.kill()

    async def _abandon(self) -> list[ServerProcess]:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self.ready = False
        return [found.process for found in (*self._init, *self._containers) if found.process is not None]

    async def _live(self) -> None:
        for container in self._init:
            await self._run(container, until_success=True)
        await asyncio.gather(*(self._run(container) for container in self._containers))

    async def _run(self, container: Container, *, until_success: bool = False) -> None:
        """Run a container again and again, as ``restartPolicy: Always`` does."""
        while True:
            code = await self._run_once(container)
            if until_success and code == 0:
                container.ready = True
                return
            pause = BACKOFF_SECONDS[min(container.restarts, len(BACKOFF_SECONDS) - 1)]
            await asyncio.sleep(pause)
            container.last_state, container.state = container.state, {"waiting": {"reason": "CrashLoopBackOff"}}
            self._news.set()
            await asyncio.sleep(pause)
            container.restarts += 1

    async def _run_once(self, container: Container) -> int:
        message = self._folder / f"{container.name}.message"
        message.write_text("")
        environment = self._environment(container.spec)
        process = container.process = container_process(
            container.spec,
            root=self._folder / f"{container.name}.root",
            hosts=self._hosts,
            environment=environment,
            mounts={
                mount["mountPath"]: self.volumes.path(mount["name"]) for mount in container.spec.get("volumeMounts", [])
            },
            termination_log=message,
            log=self._folder / f"{container.name}.log",
            address=self.address,
        )
        process.spawn()
        started_at = _now()
        container.state = {"running": {"startedAt": started_at}}
        self._news.set()
        probing = asyncio.create_task(self._probe(container, process))
        try:
            await until(lambda: not process.running, within=math.inf, what=f"{container.name} ends")
        finally:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
        await process.kill()  # reaps it
        status = process.exit_code or 0
        code = 128 - status if status < 0 else status
        container.ready = False
        container.state = {
            "terminated": {
                "exitCode": code,
                "reason": "Error" if code else "Completed",
                "message": message.read_text()[-4096:],
                "startedAt": started_at,
                "finishedAt": _now(),
            }
        }
        self._news.set()
        return code

    def _environment(self, spec: Object) -> dict[str, str]:
        fields = {
            "metadata.name": self.name,
            "metadata.namespace": self.namespace,
            "metadata.uid": self.uid,
            "status.podIP": self.address,
        }
        variables: dict[str, str] = {}
        for variable in spec.get("env", []):
            field = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            variables[variable["name"]] = fields[field] if field else expand(variable.get("value", ""), variables)
        return variables

    async def _probe(self, container: Container, process: ServerProcess) -> None:
        """Find out whether a container has started, is ready and is alive; kill one that is not."""
        spec = container.spec
        async with aiohttp.ClientSession() as session:
            if (probe := spec.get("startupProbe")) and not await self._holds_soon(session, spec, probe):
                await process.kill()
                return
            await asyncio.gather(
                self._probe_readiness(session, container), self._probe_liveness(session, spec, process)
            )

    async def _holds_soon(self, session: aiohttp.ClientSession, spec: Object, probe: Object) -> bool:
        with suppress(AssertionError):
            seconds = probe["periodSeconds"] * probe["failureThreshold"]
            return bool(await until(lambda: self._holds(session, spec, probe), within=seconds, what="it has started"))
        return False

    async def _probe_readiness(self, session: aiohttp.ClientSession, container: Container) -> None:
        probe = container.spec.get("readinessProbe")
        failures = 0
        while True:
            holds = probe is None or await self._holds(session, container.spec, probe)
            failures = 0 if holds else failures + 1
            ready = holds or (container.ready and failures < (probe or {}).get("failureThreshold", 3))
            if ready != container.ready:
                container.ready = ready
                self._news.set()
            await asyncio.sleep(PROBE_SECONDS)

    async def _probe_liveness(self, session: aiohttp.ClientSession, spec: Object, process: ServerProcess) -> None:
        if probe := spec.get("livenessProbe"):
            failures = 0
            while failures < probe.get("failureThreshold", 3):
                await asyncio.sleep(probe.get("periodSeconds", 10))
                failures = 0 if await self._holds(session, spec, probe) else failures + 1
            await process.kill()

    async def _holds(self, session: aiohttp.ClientSession, spec: Object, probe: Object) -> bool:
        ports = {port.get("name"): port["containerPort"] for port in spec.get("ports", [])}
        port = probe["httpGet"]["port"]
        url = f"http://{self.address}:{ports.get(port, port)}{probe['httpGet']['path']}"
        timeout = aiohttp.ClientTimeout(total=probe.get("timeoutSeconds", 1))
        try:
            async with session.get(url, timeout=timeout) as answer:
                return answer.status < 400
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _report(self) -> None:
        """Write the status whenever there is news."""
        while True:
            await self._news.wait()
            self._news.clear()
            ready = all(container.ready for container in self._containers)
            if ready != self.ready:
                self.ready = ready
                self._changed()
            status = {"metadata": {"uid": self.uid}, "status": self._status()}
            try:
                await self._kube.patch("Pod", self.name, status, subresource="status")
            except KubeError as error:
                if error.code not in (404, 409):  # it is gone, or another one of its name is there
                    raise

    def _status(self) -> dict[str, Any]:
        initialized = all(container.ready for container in self._init)
        running = initialized and any("waiting" not in container.state for container in self._containers)
        conditions = {"Initialized": initialized, "ContainersReady": self.ready, "Ready": self.ready}
        return {
            "phase": "Running" if running or any(container.restarts for container in self._containers) else "Pending",
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "startTime": self._started_at,
            "conditions": [
                {"type": type_, "status": "True" if holds else "False"}
                for type_, holds in {"PodScheduled": True, **conditions}.items()
            ],
            "initContainerStatuses": [container.status() for container in self._init],
            "containerStatuses": [container.status() for container in self._containers],
        }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
