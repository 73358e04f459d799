"""A small mesh that is there to be broken: desks where callers come in, and replicas that work for them."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.support import counted_agents
from tests.support.control_plane_proxy import TcpProxy
from tests.support.load import TOPIC, Load
from tests.support.node_process import agent
from tests.support.sidecar import PeerNode

TTL_SECONDS = 5


def counted(name: str, **spec: Any) -> dict[str, Any]:
    """An agent of :mod:`tests.support.counted_agents`."""
    code = {"configMapRef": {"name": "counted"}, "entrypoint": f"counted_agents:{name}"}
    return {**agent(name, {}), "spec": {"code": code, "limits": {"maxConcurrentTasks": 100}, **spec}}


DESK = (counted("desk"),)
REPLICA = (counted("writer"), counted("archivist", topics=[TOPIC]))


@dataclass
class LoadedMesh:
    """Nodes with sidecars, each with a way of its own to etcd."""

    peers: Mapping[str, PeerNode]
    ways_to_etcd: Mapping[str, TcpProxy]
    desks: Sequence[str]
    journal: Path
    mesh_id: str

    def load(self, *, listening: Sequence[str] | None = None) -> Load:
        """A load on all desks. Programs listen at these of them; default: at each."""
        urls = {desk: self.peers[desk].node.url for desk in self.desks}
        return Load(urls, self.desks if listening is None else listening, self.journal)

    async def whole(self) -> bool:
        """Whether all nodes know all nodes."""
        everybody = {f"{name}.default" for name in self.peers}
        async with aiohttp.ClientSession() as http:
            for desk in self.desks:
                async with http.get(f"{self.peers[desk].node.url}/isek/nodes") as answer:
                    if {each["nodeId"] for each in (await answer.json())["nodes"]} != everybody:
                        return False
        return True


@asynccontextmanager
async def loaded_mesh(
    folder: Path,
    etcd_port: int,
    hosted: Mapping[str, Sequence[dict[str, Any]]],
    *,
    proxy_host: str = "127.0.0.1",
    per_node: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Any,
) -> AsyncIterator[LoadedMesh]:
    """Start it.

    Args:
        folder: for its files.
        etcd_port: of the registry.
        hosted: by the name of a node what it hosts: ``DESK`` or ``REPLICA``.
        proxy_host: where the nodes find the ways to etcd.
        per_node: by the name of a node what it is given beside ``settings``.
        settings: as :class:`tests.support.sidecar.PeerNode` has them, of all nodes.
    """
    code, journal = folder / "code", folder / "journal"
    (code / "counted").mkdir(parents=True)
    journal.mkdir()
    shutil.copy(str(counted_agents.__file__), code / "counted")
    async with AsyncExitStack() as stack:
        ways, peers, mesh_id = {}, {}, f"default.{folder.name}"
        for name, resources in hosted.items():
            ways[name] = await stack.enter_async_context(TcpProxy(etcd_port, host=proxy_host))
            own = {
                "environment": {counted_agents.JOURNAL: str(journal)},
                "code_dir": code,
                "node_id": f"{name}.default",
                "registry_url": f"etcd://{proxy_host}:{ways[name].port}",
                "registry_ttl_seconds": TTL_SECONDS,
                "mesh_id": mesh_id,
                **settings,
                **(per_node or {}).get(name, {}),
            }
            peers[name] = PeerNode(folder / name, resources, **own)
        await asyncio.gather(*(stack.enter_async_context(peer) for peer in peers.values()))
        desks = [name for name, resources in hosted.items() if resources is DESK]
        yield LoadedMesh(peers, ways, desks, journal, mesh_id)
