"""What a node tells its mesh about itself."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from isek.log import log

MAX_RECORD_BYTES = 4096
MAX_DESCRIPTION = 160
"""Characters of a description; the whole of it stands on the agent's card."""
PREFIX = "/isek"


class RecordError(ValueError):
    """A record that cannot be believed, or is too large to be written."""


class AgentRecord(BaseModel):
    """An agent or a team that a node hosts."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    name: str
    kind: Literal["Agent", "Team"] = "Agent"
    capabilities: tuple[str, ...] = ()
    card_hash: str = ""
    description: str = ""
    """What it is good for, by which others choose; the first ``MAX_DESCRIPTION`` characters."""
    topics: tuple[str, ...] = ()
    """What it listens to; of all its replicas one hears a message."""


class NodeRecord(BaseModel):
    """One node of a mesh; unknown fields of newer versions are passed over."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    node_id: str
    namespace: str = "default"
    cluster: str = ""
    region: str = ""
    zone: str = ""
    version: str = ""
    host: str
    port: int
    peer_id: str | None = None
    p2p_address: Annotated[str | None, Field(alias="p2pAddress")] = None
    p2p_addresses: Annotated[tuple[str, ...], Field(alias="p2pAddresses")] = ()
    """Further ways to its sidecar: through relays; as many as fit."""
    network_keys: tuple[str, ...] = ()
    """Fingerprints of the private network keys that its sidecar accepts, the one that it dials with first."""
    topics: tuple[str, ...] = ()
    """What programs on this node listen to."""
    card_key: str = ""
    """The public key that the cards of its agents are signed with (``isek.protocol.card_key``)."""
    agents: tuple[AgentRecord, ...] = ()
    finishing: tuple[str, ...] = ()
    """Agents that nobody is to ask here any more, and that still ask others: what runs when the node ends."""

    def speaks_for(self, agent: str) -> bool:
        """Whether the node may ask others on behalf of an agent of this name."""
        return agent in self.finishing or any(each.name == agent for each in self.agents)

    @property
    def url(self) -> str:
        """Where the node answers over HTTP."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def all_p2p_addresses(self) -> tuple[str, ...]:
        """Every way to its sidecar, the direct one first; empty where it has none."""
        return (self.p2p_address, *self.p2p_addresses) if self.p2p_address else ()

    def key(self, mesh_id: str) -> str:
        """Where the record stands in the registry."""
        return f"{nodes_prefix(mesh_id)}{self.namespace}/{self.node_id.removesuffix('.' + self.namespace)}"

    def encode(self) -> bytes:
        """The record as JSON. What does not fit is left away: descriptions; then ways through relays but one; then
        capabilities, then the last way. Descriptions and capabilities still stand on the agents' cards.

        Raises:
            RecordError: it is larger than 4 KiB even so.
        """
        encoded = self._to_json()
        for what, smaller in self._ever_smaller():
            if len(encoded) <= MAX_RECORD_BYTES:
                break
            log().warning("{}: not all {} fit into its record", self.node_id, what)
            encoded = smaller._to_json()
        if len(encoded) > MAX_RECORD_BYTES:
            raise RecordError(
                f"the record of {self.node_id} takes {len(encoded)} of {MAX_RECORD_BYTES} bytes; host fewer agents"
            )
        return encoded

    def _ever_smaller(self) -> Iterator[tuple[str, Self]]:
        """What is left away next, and the record without it."""
        ways = self.p2p_addresses
        record = self._with_agents({"description": ""})
        yield "descriptions of its agents", record
        for left in range(len(ways) - 1, 0, -1):
            record = record.model_copy(update={"p2p_addresses": ways[:left]})
            yield "addresses", record
        record = record._with_agents({"capabilities": ()})
        yield "capabilities of its agents", record
        yield "addresses", record.model_copy(update={"p2p_addresses": ()})

    def _with_agents(self, update: dict[str, Any]) -> Self:
        return self.model_copy(update={"agents": tuple(agent.model_copy(update=update) for agent in self.agents)})

    def _to_json(self) -> bytes:
        return self.model_dump_json(by_alias=True, exclude_none=True, exclude_defaults=True).encode()

    @classmethod
    def decode(cls, key: str, value: bytes) -> Self:
        """The record that stands at ``key``.

        Raises:
            RecordError: it does not parse, or names another namespace or node than its key.
        """
        try:
            record = cls.model_validate_json(value)
        except ValidationError as error:
            raise RecordError(f"the record at {key} does not parse: {error.error_count()} errors") from None
        _, namespace, pod = key.rsplit("/", 2)
        if record.namespace != namespace or record.node_id.removesuffix("." + namespace) != pod:
            raise RecordError(f"the record at {key} claims to be {record.node_id} of {record.namespace}")
        return record


def nodes_prefix(mesh_id: str) -> str:
    """Where the nodes of a mesh stand in the registry."""
    return f"{PREFIX}/{mesh_id}/nodes/"
