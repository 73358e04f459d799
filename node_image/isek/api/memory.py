"""What an agent remembers, and where."""

from typing import Annotated, Literal

from pydantic import Field

from isek.api.schema import Model, Rule
from isek.api.workload import ObjectReference, SecretValue


class MemorySpec(Model):
    """Where an agent keeps its conversations, and what it learns of its users."""

    provider: Literal["InMemory", "SQLite", "PostgreSQL"] = "InMemory"
    """InMemory: in the pod, gone with it; SQLite: on a volume, for one replica; PostgreSQL: for any number."""
    url: SecretValue | None = None
    """Of the PostgreSQL database: postgresql://user:password@host:5432/database. A change of it is taken up without a
    restart."""
    claim: ObjectReference | None = None
    """The PersistentVolumeClaim, an existing one of the same namespace, that SQLite's file lies on."""
    user_memories: bool = False
    """Whether the model may remember facts about users, and is told them in later conversations: it gets the tools
    remember and forget."""
    max_tokens: Annotated[int, Field(ge=256, le=10_000_000)] | None = None
    """Tokens of a conversation that are kept word for word; what is older is summed up by the model. Default: 32000,
    or half of what the model takes where that is known."""

    rules = (
        Rule(
            cel="(self.provider == 'PostgreSQL') == has(self.url)",
            message="url goes with provider PostgreSQL, and with no other",
            holds=lambda memory: (memory.provider == "PostgreSQL") == (memory.url is not None),
        ),
        Rule(
            cel="(self.provider == 'SQLite') == has(self.claim)",
            message="claim goes with provider SQLite, and with no other",
            holds=lambda memory: (memory.provider == "SQLite") == (memory.claim is not None),
        ),
    )
