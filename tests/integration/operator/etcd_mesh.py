"""A mesh whose etcd really runs: the operator, a control plane with StatefulSets, and a kubelet for its members."""

import asyncio
import base64
import json
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
from isek.registry import Registry, TlsFiles
from isek.registry.etcd import EtcdRegistry
from isek_operator.cluster.etcd import EtcdAdmin, ListedMember, Tls
from isek_operator.decide.etcd.membership import Membership

from tests.integration.operator.operator_process import OperatorProcess
from tests.integration.operator.resources import mesh
from tests.integration.registry.records import node
from tests.support.control_plane import ControlPlane
from tests.support.etcd_clients import PROGRAM, EtcdClients
from tests.support.kube import KubeClient, Object
from tests.support.kubelet import Kubelet
from tests.support.kubelet_container import with_hosts
from tests.support.waiting import until

MESH = "default"
ETCD = f"{MESH}-etcd"
TTL_SECONDS = 5


@dataclass(frozen=True)
class EtcdGround:
    """What all these meshes share."""

    control_plane: ControlPlane
    kubelet: Kubelet
    operator: OperatorProcess


class EtcdMesh:
    """The mesh ``default`` of a namespace of its own."""

    def __init__(self, ground: EtcdGround, folder: Path, *, namespace: str = "") -> None:
        self.namespace = namespace or f"etcd-{secrets.token_hex(4)}"
        self.kube: KubeClient = ground.control_plane.kube.in_namespace(self.namespace)
        self.kubelet = ground.kubelet
        self.operator = ground.operator
        self.mesh_id = f"{self.namespace}.{MESH}"
        self._folder = folder

    @property
    def service(self) -> str:
        return f"{ETCD}.{self.namespace}.svc:2379"

    async def apply(self, **etcd: Any) -> None:
        await self.kube.apply(mesh(MESH, etcd=etcd))

    async def make_namespace(self) -> None:
        await self.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})

    @asynccontextmanager
    async def told(self) -> AsyncIterator[Self]:
        """Tell in the end, beside a failure of the test, what the members and the operator said."""
        await self.make_namespace()
        yield self
        print(self.kubelet.logs(self.namespace))  # noqa: T201
        lines = self.operator.log.read_text().splitlines()
        print("\n".join([line for line in lines if self.namespace in line][-60:]))  # noqa: T201

    async def remove(self) -> None:
        """Delete it; its members go by themselves."""
        await self.kube.delete("IsekMesh", MESH)

    async def has_members(self, count: int, *, within: float = 60, **etcd: Any) -> None:
        """Ask for that many members and wait until all is as it should be."""
        await self.apply(replicas=count, **etcd)
        await self.until_settled(count, within=within)

    async def until_settled(self, count: int, *, within: float = 60) -> None:
        def settled(found: Object) -> bool:
            status = found["status"]
            conditions = {each["type"]: each["status"] for each in status["conditions"]}
            seen: bool = status["observedGeneration"] == found["metadata"]["generation"]
            return seen and conditions["Ready"] == "True" and status["etcdReadyReplicas"] == count

        await self.kube.until_true("IsekMesh", MESH, settled, what=f"has {count} members and is Ready", within=within)

    async def pods(self) -> dict[str, str]:
        """The uid of each member's pod."""
        return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in await self.kube.list("Pod")}

    async def membership(self) -> Membership:
        """What the operator has written down."""
        found = Membership.of(await self.kube.get("ConfigMap", ETCD))
        assert found is not None
        return found

    async def listed(self) -> tuple[ListedMember, ...]:
        """The members that etcd itself lists."""
        found = await self.certificates(f"{ETCD}-root")
        certificate, key, authorities = ((found / name).read_bytes() for name in ("tls.crt", "tls.key", "ca.crt"))
        tls = Tls(certificate, key, authorities, self.service.partition(":")[0])
        endpoints = {pod["metadata"]["name"]: f"{pod['status']['podIP']}:2379" for pod in await self.kube.list("Pod")}
        async with EtcdAdmin(endpoints, tls) as admin:
            return await admin.members()

    async def leader(self) -> str:
        """The pod of the member that leads."""

        async def leads() -> str | None:
            for pod in await self.kube.list("Pod"):
                if "\netcd_server_is_leader 1\n" in await _get(f"http://{pod['status']['podIP']}:2381/metrics"):
                    return str(pod["metadata"]["name"])
            return None

        return await until(leads, what="a member leads", retry_on=(aiohttp.ClientError, LookupError))

    async def certificates(self, secret: str) -> Path:
        """A folder with what a Secret holds."""
        data = (await self.kube.get("Secret", secret))["data"]
        folder = self._folder / secret
        folder.mkdir(exist_ok=True)
        for name, value in data.items():
            (folder / name).write_bytes(base64.b64decode(value))
        return folder

    async def clients(self, **plan: int) -> EtcdClients:
        """Writers and watchers, which see too whether nodes are forgotten.

        ``plan``: how many of them, as in ``etcd_workload.Plan``.
        """
        whole = {
            "endpoints": [self.service],
            "tls": str(await self.certificates(f"{ETCD}-client")),
            "prefix": f"/isek/{self.mesh_id}/{secrets.token_hex(4)}/",
            "nodes": f"/isek/{self.mesh_id}/nodes/",
            **plan,
        }
        return EtcdClients(with_hosts(self.kubelet.hosts, [sys.executable, PROGRAM, json.dumps(whole)]))

    @asynccontextmanager
    async def registry(self, *, mesh_id: str = "", ttl_seconds: int = TTL_SECONDS) -> AsyncIterator[Registry]:
        """A node's own view of who is there, which reaches etcd as through a Service."""
        tls = TlsFiles.in_folder(await self.certificates(f"{ETCD}-client"))
        async with (
            self.kubelet.forward(self.namespace, ETCD, 2379) as address,
            EtcdRegistry([address], mesh_id=mesh_id or self.mesh_id, ttl_seconds=ttl_seconds, tls=tls) as registry,
        ):
            yield registry

    @asynccontextmanager
    async def nodes(self, count: int) -> AsyncIterator[list[Registry]]:
        """That many registered nodes that all know each other."""
        async with AsyncExitStack() as stack:
            registries = [await stack.enter_async_context(self.registry()) for _ in range(count)]
            for number, registry in enumerate(registries):
                await registry.register(node(f"node-{number}"))
            await until(lambda: all(len(each.peers()) == count for each in registries), what="all know each other")
            yield registries

    @asynccontextmanager
    async def conditions_of(self, type_: str) -> AsyncIterator[list[str]]:
        """The statuses that a condition of the mesh goes through meanwhile, one after the other."""
        seen: list[str] = []

        async def follow() -> None:
            async for _, found in self.kube.watch("IsekMesh"):
                if found["metadata"]["namespace"] == self.namespace:
                    for condition in found.get("status", {}).get("conditions", []):
                        if condition["type"] == type_ and seen[-1:] != [condition["status"]]:
                            seen.append(condition["status"])

        async with background(follow()):
            yield seen

    @asynccontextmanager
    async def pods_seen(self, take: Callable[[str, Object], None]) -> AsyncIterator[None]:
        """Give ``take`` each event of the members' pods."""

        async def follow() -> None:
            async for type_, pod in self.kube.watch("Pod"):
                if pod["metadata"]["namespace"] == self.namespace:
                    take(type_, pod)

        async with background(follow()):
            yield


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do something meanwhile; it is ended at the end, and its failure is the block's."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _get(url: str) -> str:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session, session.get(url) as answer:
        return await answer.text()
