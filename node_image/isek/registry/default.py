"""The registry of a mesh that lives in one process."""

from isek.registry.memory_store import MemoryStore
from isek.registry.registry import Registry


class DefaultRegistry(Registry):
    """Discovery within one process: those who share a ``MemoryStore`` see each other."""

    def __init__(
        self, store: MemoryStore | None = None, *, mesh_id: str = "default.default", ttl_seconds: int = 15
    ) -> None:
        super().__init__(store or MemoryStore(), mesh_id=mesh_id, ttl_seconds=ttl_seconds)
