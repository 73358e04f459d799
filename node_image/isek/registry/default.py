"""The registry of a mesh that lives in one process."""

import asyncio
from weakref import WeakKeyDictionary

from typing_extensions import override

from isek.registry.memory_store import MemoryStore
from isek.registry.registry import Registry

_stores: WeakKeyDictionary[asyncio.AbstractEventLoop, MemoryStore] = WeakKeyDictionary()


class DefaultRegistry(Registry):
    """Discovery within one process: those on one event loop see each other, as all nodes of ``isek.Node`` are.

    Args:
        store: who shares it see each other, and nobody else; None: the one of the event loop.
        mesh_id: the mesh's name.
        ttl_seconds: after so long the registry forgets a node that does not renew its lease.
    """

    def __init__(
        self, store: MemoryStore | None = None, *, mesh_id: str = "default.default", ttl_seconds: int = 15
    ) -> None:
        super().__init__(store or MemoryStore(), mesh_id=mesh_id, ttl_seconds=ttl_seconds)
        self._shares = store is None

    @override
    async def start(self) -> None:
        if self._shares:
            self._store = _stores.setdefault(asyncio.get_running_loop(), MemoryStore())
        await super().start()
