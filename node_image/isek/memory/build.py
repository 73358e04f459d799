"""From the ``memory`` of a resource to the memory."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from isek.api.memory import MemorySpec
from isek.api.workload import SecretKeySelector
from isek.memory.errors import MemoryUnavailable
from isek.memory.memory import Memory


def build_memory(spec: MemorySpec | None, agent: str, secrets_dir: Path, memory_dir: Path) -> Memory | None:
    """The memory that ``spec`` describes. Secrets are files ``<secrets_dir>/<name>/<key>``, read when needed."""
    if spec is None:
        return None
    url: str | Callable[[], Awaitable[str]] | None = None
    if spec.provider == "SQLite":
        url = f"sqlite:///{memory_dir / agent}.db"
    elif spec.url is not None:
        url = _secret_reader(spec.url.secret_key_ref, secrets_dir)
    return Memory(url, user_memories=spec.user_memories, max_tokens=spec.max_tokens)


def _secret_reader(reference: SecretKeySelector, secrets_dir: Path) -> Callable[[], Awaitable[str]]:
    path = secrets_dir / reference.name / reference.key

    async def read() -> str:
        try:
            return path.read_text().strip()
        except (OSError, UnicodeDecodeError):
            raise MemoryUnavailable(
                f"key {reference.key!r} of Secret {reference.name!r} cannot be read",
                hint=f"create the Secret with that key; the node reads it from {path}",
            ) from None

    return read
