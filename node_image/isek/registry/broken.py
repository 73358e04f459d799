"""What a node tells its mesh about those that it was to host and could not build, or that lack tools."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from isek.registry.record import MAX_RECORD_BYTES, PREFIX, RecordError

MAX_MESSAGE = 1024
"""Characters of a message; the node's log has the whole of it."""


class BrokenAgent(BaseModel):
    """An agent or a team that could not be built, or of which tools have changed."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    kind: Literal["IsekAgent", "IsekTeam"]
    name: str
    message: Annotated[str, Field(max_length=MAX_MESSAGE)]
    """Why, for people."""


class BrokenRecord(BaseModel):
    """All of one node; unknown fields of newer versions are passed over."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    node_id: str
    namespace: str
    config_hash: str = ""
    """Which configuration of its pod it is about."""
    agents: tuple[BrokenAgent, ...] = ()
    """Those that could not be built."""
    changed: tuple[BrokenAgent, ...] = ()
    """Those that go without tools, which are not what they were when they were accepted."""

    def key(self, mesh_id: str) -> str:
        """Where the record stands in the registry."""
        return f"{broken_prefix(mesh_id)}{self.namespace}/{self.node_id.removesuffix('.' + self.namespace)}"

    def encode(self) -> bytes:
        """The record as JSON, with as many agents as fit into 4 KiB: those with the shortest messages."""
        agents, changed = list(self.agents), list(self.changed)
        while True:
            shorter = self.model_copy(update={"agents": tuple(agents), "changed": tuple(changed)})
            if len(encoded := shorter._to_json()) <= MAX_RECORD_BYTES:
                return encoded
            wordy = max((agents, changed), key=lambda each: max((len(said.message) for said in each), default=-1))
            wordy.remove(max(reversed(wordy), key=lambda each: len(each.message)))

    def _to_json(self) -> bytes:
        return self.model_dump_json(by_alias=True, exclude_defaults=True).encode()

    @classmethod
    def decode(cls, key: str, value: bytes) -> Self:
        """The record that stands at ``key``.

        Raises:
            RecordError: it is larger than any that is written, does not parse, or names another namespace than its key.
        """
        if len(value) > MAX_RECORD_BYTES:
            raise RecordError(f"the record at {key} takes {len(value)} of {MAX_RECORD_BYTES} bytes")
        try:
            record = cls.model_validate_json(value)
        except ValidationError as error:
            raise RecordError(f"the record at {key} does not parse: {error.error_count()} errors") from None
        if record.namespace != key.rsplit("/", 2)[1]:
            raise RecordError(f"the record at {key} claims to be of {record.namespace}")
        return record


def sayable(message: str) -> str:
    """What of a message fits into a record, whatever somebody's exception holds."""
    printable = "".join(each if each.isprintable() or each == "\n" else " " for each in message[:MAX_MESSAGE])
    return printable.encode()[: 2 * MAX_MESSAGE].decode(errors="ignore")


def broken_prefix(mesh_id: str) -> str:
    """Where the nodes of a mesh say what they cannot run."""
    return f"{PREFIX}/{mesh_id}/broken/"
