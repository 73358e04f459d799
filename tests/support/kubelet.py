"""A small kubelet for the embedded control plane: pods as processes of this machine, in seconds and without images."""

import asyncio
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

from tests.support.control_plane_process import ServerProcess
from tests.support.control_plane_proxy import TcpProxy
from tests.support.kube import KubeClient, KubeError, Object
from tests.support.kube_watch import Watched
from tests.support.kubelet_pod import Pod
from tests.support.kubelet_volumes import VolumeMissingError, Volumes

NODE = "machine"
KINDS = ("ConfigMap", "Secret", "PersistentVolumeClaim", "Service")
ORDINALS = 7
"""Names of a StatefulSet's pods are known before they are there: etcd looks into a hosts file every 5 s at most."""


class Kubelet:
    """Runs the pods that a label selector finds, of all namespaces, with the programs of this machine.

    For a ``ControlPlane(workloads=True)``, whose StatefulSets get pods. A pod is bound to the one Node there is, waits
    for what it mounts, runs its init containers and containers (``etcd``, ``python``) with restarts and HTTP probes,
    reports its status, and ends when it is deleted. ConfigMaps and Secrets are refreshed; a volume claim keeps its
    data as long as the object lives.

    Each pod has an address of its own in 127.0.0.0/8, the same for all pods of its name, in which ``0.0.0.0`` in its
    arguments and ConfigMaps is changed. Names of pods and Services resolve where ``hosts`` is used (``with_hosts``);
    a client elsewhere, such as the test itself, uses ``forward``.
    """

    def __init__(self, kube: KubeClient, *, labels: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="isek-kubelet-"))
        self.hosts = self._folder / "hosts"
        """What is to be seen at ``/etc/hosts``; rewritten in place as pods come and go."""
        self._kube = kube
        self._pods = Watched(kube, "Pod", labels=labels)
        self._mounted = {kind: Watched(kube, kind) for kind in KINDS}
        self._network = random.randrange(256, 2**16 - 256)  # noqa: S311 - other kubelets of this machine have others
        self._addresses: dict[tuple[str, str], str] = {}
        self._running: dict[str, Pod] = {}
        self._ending: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._write_hosts()
        await self._kube.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})
        self._following = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Kill all pods and remove what they wrote.

        Raises what went wrong here meanwhile.
        """
        assert self._following is not None, "not started"
        self._following.cancel()
        [result] = await asyncio.gather(self._following, return_exceptions=True)
        for ending in self._ending.values():
            ending.cancel()
        await asyncio.gather(*self._ending.values(), return_exceptions=True)
        await asyncio.gather(*(pod.crash() for pod in self._running.values()))
        shutil.rmtree(self._folder, ignore_errors=True)
        if result is not None and not self._following.cancelled():
            raise result

    def process(self, namespace: str, pod: str, container: str = "etcd") -> ServerProcess:
        """The process of a container, to kill or pause it; killed, it is started again."""
        return self._pod(namespace, pod).process(container)

    def volume(self, namespace: str, pod: str, name: str) -> Path:
        """The folder of a volume that a pod mounts."""
        return self._pod(namespace, pod).volumes.path(name)

    async def lose_machine(self, namespace: str, pod: str) -> None:
        """Lose a pod with its volumes: nobody ends it, and one that follows finds the claims empty."""
        lost = self._pod(namespace, pod)
        await lost.crash()
        lost.volumes.wipe()
        await self._kube.in_namespace(namespace).delete("Pod", pod, grace_seconds=0, uid=lost.uid)

    @asynccontextmanager
    async def forward(self, namespace: str, service: str, port: int) -> AsyncIterator[str]:
        """Lead ``127.0.0.1:<a free port>``, which is returned, to the ready pods of a Service."""

        def ready_pod() -> tuple[str, int]:
            ready = list(self._ready_addresses(self._mounted["Service"].objects[namespace, service]))
            if not ready:
                raise ConnectionRefusedError(f"no pod of {service} is ready")
            return random.choice(ready), port  # noqa: S311 - no secret

        async with TcpProxy(ready_pod) as proxy:
            yield f"127.0.0.1:{proxy.port}"

    def logs(self, namespace: str) -> str:
        """The last lines of all containers that ran in a namespace, those of pods that are gone too."""
        return "\n".join(
            "\n".join([f"--- {path.parent.name} {path.stem}", *_last_lines(path)])
            for path in sorted(self._folder.glob(f"{namespace}.*/*.log"))
        )

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _pod(self, namespace: str, name: str) -> Pod:
        [found] = [pod for pod in self._running.values() if (pod.namespace, pod.name) == (namespace, name)]
        return found

    async def _follow(self) -> None:
        async with asyncio.TaskGroup() as group:
            for watched in (self._pods, *self._mounted.values()):
                group.create_task(watched.follow(self._changed.set))
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._synchronise()

    async def _synchronise(self) -> None:
        """Run what is bound to this machine, and nothing else."""
        pods = {pod["metadata"]["uid"]: pod for pod in self._pods.objects.values()}
        for uid, pod in pods.items():
            if uid in self._ending:
                continue
            if "deletionTimestamp" in pod["metadata"]:
                self._ending[uid] = asyncio.create_task(self._end(pod))
            elif "nodeName" not in pod["spec"]:
                await self._bind(pod)
            elif uid not in self._running:
                await self._start(pod)
        for uid, running in list(self._running.items()):
            if running.failure is not None:
                raise running.failure
            if uid not in pods:
                await running.crash()
                del self._running[uid]
            elif uid not in self._ending:
                with suppress(VolumeMissingError):  # what is mounted stays
                    running.volumes.refresh()
        self._write_hosts()

    async def _bind(self, pod: Object) -> None:
        meta = pod["metadata"]
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta["name"]}, "target": target}
        with suppress(KubeError):  # deleted meanwhile, or bound already
            await self._kube.in_namespace(meta["namespace"]).create(binding)

    async def _start(self, found: Object) -> None:
        meta = found["metadata"]
        namespace, address = meta["namespace"], self._address(meta["namespace"], meta["name"])
        folder = self._folder / f"{namespace}.{meta['name']}.{meta['uid']}"
        volumes = Volumes(
            found,
            folder / "volumes",
            claims=self._folder / "claims",
            find=lambda kind, name: self._mounted[kind].find(namespace, name),
            address=address,
        )
        try:
            volumes.refresh()
        except VolumeMissingError:
            return  # tried again when it is there
        pod = self._running[meta["uid"]] = Pod(
            found,
            self._kube,
            folder=folder,
            volumes=volumes,
            hosts=self.hosts,
            address=address,
            changed=self._write_hosts,
        )
        self._write_hosts()
        pod.start()

    async def _end(self, found: Object) -> None:
        meta = found["metadata"]
        if pod := self._running.get(meta["uid"]):
            await pod.stop(meta["deletionGracePeriodSeconds"])
        with suppress(KubeError):  # gone already
            kube = self._kube.in_namespace(meta["namespace"])
            await kube.delete("Pod", meta["name"], grace_seconds=0, uid=meta["uid"])

    def _address(self, namespace: str, name: str) -> str:
        """The address of a pod; those of its neighbours in a StatefulSet are given at the same time."""
        if (namespace, name) not in self._addresses:
            prefix, _, ordinal = name.rpartition("-")
            names = [f"{prefix}-{number}" for number in range(ORDINALS)] if ordinal.isdigit() else [name]
            for each in {name, *names}:
                network, number = divmod(len(self._addresses), 250)
                high, low = divmod(self._network + network, 256)
                self._addresses.setdefault((namespace, each), f"127.{high}.{low}.{number + 1}")
        return self._addresses[namespace, name]

    def _ready_addresses(self, service: Object) -> Iterator[str]:
        selector = service["spec"].get("selector")
        for pod in self._running.values():
            selected = pod.namespace == service["metadata"]["namespace"] and selector and pod.selected_by(selector)
            if selected and (pod.ready or service["spec"].get("publishNotReadyAddresses")):
                yield pod.address

    def _write_hosts(self) -> None:
        lines = ["127.0.0.1 localhost"]
        domains = Counter(
            (pod.namespace, pod.name.rpartition("-")[0], pod.spec["subdomain"])
            for pod in self._running.values()
            if "subdomain" in pod.spec
        )
        for namespace, prefix, subdomain in domains:
            for ordinal in range(ORDINALS):
                name = f"{prefix}-{ordinal}"
                lines.append(f"{self._addresses[namespace, name]} {name}.{subdomain}.{namespace}.svc")
        for (namespace, service), found in self._mounted["Service"].objects.items():
            lines += [f"{address} {service}.{namespace}.svc" for address in self._ready_addresses(found)]
        text = "\n".join(lines) + "\n"
        if not self.hosts.exists() or self.hosts.read_text() != text:
            self.hosts.write_text(text)  # the same file: it is mounted


def _last_lines(log: Path) -> list[str]:
    return [line[:300] for line in log.read_text(errors="replace").splitlines()[-40:]]
