"""From the ``memory`` of a resource to the memory."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from isek.api.memory import MemorySpec
from isek.api.workload import SecretKeySelector
from isek.memory.errors import MemoryUnavailable
from isek.memory.memory import Memory
from isek.secret_files import SecretUnreadableError, read_secret


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
    async def read() -> str:
        try:
            return read_secret(reference, secrets_dir)
        except SecretUnreadableError as error:
            raise MemoryUnavailable(str(error), hint=error.hint) from None

    return read
