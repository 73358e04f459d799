"""A mesh with far nodes, found through a registry in this process."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from isek.asking import Answer, CallContext
from isek.errors import IsekError
from isek.node.settings import NodeSettings
from isek.processes.network_key import fingerprints, new_private_network_key
from isek.protocol.mesh import Mesh
from isek.protocol.p2p import Sidecar
from isek.registry import Registration
from isek.registry.default import DefaultRegistry
from isek.registry.memory_store import MemoryStore

from tests.integration.protocol.far_node import NAMESPACE, FarNode
from tests.support.sidecar import SidecarProcess

MAX_ANSWER_BYTES = 1024 * 1024


class NearNode:
    """The node that asks, and what lives on it."""

    def __init__(self, store: MemoryStore, stack: AsyncExitStack, folder: Path) -> None:
        self.registry = DefaultRegistry(store)
        self.stack = stack
        self.folder = folder
        self.hosted: set[str] = set()
        self.contexts: list[CallContext] = []
        self.fails: IsekError | None = None

    def mesh(self, name: str = "near", sidecar: Sidecar | None = None, **more: Any) -> Mesh:
        settings = NodeSettings(
            node_id=f"{name}.{NAMESPACE}", namespace=NAMESPACE, max_body_bytes=MAX_ANSWER_BYTES, **more
        )
        mesh = Mesh(self.registry, settings, hosts=self.hosted.__contains__, local=self._answer_here, sidecar=sidecar)
        self.stack.push_async_callback(mesh.close)
        return mesh

    async def join(self, *far_nodes: FarNode) -> list[Registration]:
        """Far nodes come up and register."""
        return [await self._join(far) for far in far_nodes]

    async def _join(self, far: FarNode) -> Registration:
        await self.stack.enter_async_context(far)
        return await self.registry.register(far.record())

    async def _answer_here(self, agent: str, message: str, context: CallContext) -> Answer:
        self.contexts.append(context)
        if self.fails:
            raise self.fails
        return Answer(f"{agent} here says {message}")


@pytest.fixture
async def near(tmp_path: Path) -> AsyncIterator[NearNode]:
    async with AsyncExitStack() as stack:
        node = NearNode(MemoryStore(), stack, tmp_path)
        await stack.enter_async_context(node.registry)
        yield node


class P2PNetwork:
    """Nodes with real sidecars, in one private network."""

    def __init__(self, near: NearNode) -> None:
        self._near = near
        self._key = near.folder / "private-network.key"
        self._key.write_text(new_private_network_key())

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of its keys."""
        return fingerprints(self._key.read_text())

    async def sidecar_of(self, node: FarNode, stack: AsyncExitStack | None = None) -> SidecarProcess:
        """A sidecar for a node that runs already; it lives as long as the test, or as ``stack``."""
        process = SidecarProcess(self._near.folder / node.name, node.url, private_network_key=self._key)
        return await (stack or self._near.stack).enter_async_context(process)

    async def join(self, far: FarNode, stack: AsyncExitStack | None = None) -> SidecarProcess:
        """A far node comes up with its sidecar, and registers."""
        await self._near.stack.enter_async_context(far)
        process = await self.sidecar_of(far, stack)
        await self._near.registry.register(far.record(peer_id=process.peer_id, p2p_address=process.p2p_address))
        return process

    def client(self, process: SidecarProcess) -> Sidecar:
        """What a node has of its sidecar."""
        sidecar = Sidecar(process.api_url, process.token_file, MAX_ANSWER_BYTES)
        self._near.stack.push_async_callback(sidecar.close)
        return sidecar


@pytest.fixture
def p2p(near: NearNode) -> P2PNetwork:
    return P2PNetwork(near)


@pytest.fixture
async def own(near: NearNode, p2p: P2PNetwork) -> SidecarProcess:
    """The sidecar of the node that asks."""
    node = FarNode("near")
    await near.stack.enter_async_context(node)
    return await p2p.sidecar_of(node)
