"""What an agent remembers, and where."""

from typing import Annotated, Literal

from pydantic import Field

from isek.api.fields import ObjectName, Quantity
from isek.api.schema import Model, Rule
from isek.api.workload import ObjectReference, SecretValue


class MemoryStorage(Model):
    """The volume that is made for an agent's memory."""

    size: Quantity = "1Gi"
    """Its size. It grows where its StorageClass allows that, and never shrinks."""
    class_name: ObjectName | None = None
    """Its StorageClass; default: the cluster's. A volume that is there keeps the one that it has."""
    when_deleted: Literal["Delete", "Retain"] = "Delete"
    """What becomes of the volume when the agent is deleted, or keeps its memory elsewhere. One that is kept is taken
    over by the next agent of the name."""


class MemorySpec(Model):
    """Where an agent keeps its conversations, and what it learns of its users."""

    provider: Literal["InMemory", "SQLite", "PostgreSQL"] = "InMemory"
    """InMemory: in the pod, gone with it; SQLite: on a volume, for one replica; PostgreSQL: for any number."""
    url: SecretValue | None = None
    """Of the PostgreSQL database: postgresql://user:password@host:5432/database. A change of it is taken up without a
    restart."""
    claim: ObjectReference | None = None
    """A PersistentVolumeClaim of your own, in the same namespace, that SQLite's file lies on; it stays yours."""
    storage: MemoryStorage | None = None
    """The volume that is made for SQLite's file where no claim is named; default: 1Gi, which goes with the agent."""
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
            cel="!has(self.claim) || self.provider == 'SQLite'",
            message="claim goes with provider SQLite, and with no other",
            holds=lambda memory: memory.claim is None or memory.provider == "SQLite",
        ),
        Rule(
            cel="!has(self.storage) || (self.provider == 'SQLite' && !has(self.claim))",
            message="storage goes with provider SQLite, and not beside claim: that one has its volume",
            holds=lambda memory: memory.storage is None or (memory.provider == "SQLite" and memory.claim is None),
        ),
    )

    @property
    def volume(self) -> MemoryStorage | None:
        """The volume that is to be made; None: there is none to be."""
        return (self.storage or MemoryStorage()) if self.provider == "SQLite" and self.claim is None else None
