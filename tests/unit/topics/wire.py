"""Nodes of a mesh in one process: what they publish crosses no network, and gets lost as the test says."""

from collections.abc import Callable, Sequence

from isek.errors import CallError
from isek.registry.record import NodeRecord
from isek.topics.outbox import Delivery, Refusals
from isek.topics.recipients import agents_that_want, wants
from isek.topics.topics import Topics

Fault = Callable[[str, Sequence[Delivery]], None]
"""Gets where to and what; raises where it does not arrive. Called before and after it arrives."""


class Wire:
    """The registry and the network between the nodes of a test."""

    def __init__(self) -> None:
        self.nodes: dict[str, Topics] = {}
        self.before: Fault = lambda to, batch: None
        self.after: Fault = lambda to, batch: None

    def join(self, node_id: str, namespace: str = "newsroom") -> Topics:
        """A node comes."""
        own = NodeRecord(node_id=node_id, namespace=namespace, host="127.0.0.1", port=1)
        topics = self.nodes[node_id] = Topics(own, self, self._send)
        return topics

    def leave(self, node_id: str) -> None:
        """A node is gone."""
        del self.nodes[node_id]

    async def close(self) -> None:
        """The end of the test."""
        for topics in self.nodes.values():
            await topics.close()

    def listeners(self, topic: str) -> tuple[NodeRecord, ...]:
        """See :class:`Audience`."""
        records = (each.listening for each in self.nodes.values())
        return tuple(each for each in records if wants(each.topics, topic) or agents_that_want(each, topic))

    def node(self, node_id: str) -> NodeRecord | None:
        """See :class:`Audience`."""
        return self.nodes[node_id].listening if node_id in self.nodes else None

    async def _send(self, record: NodeRecord, batch: Sequence[Delivery]) -> Refusals:
        self.before(record.node_id, batch)
        if record.node_id not in self.nodes:
            raise CallError("AgentUnreachable", "it is gone", retryable=True)
        node = self.nodes[record.node_id]
        refusals = {each.message.id: node.accept(each.message, each.to) for each in batch}
        self.after(record.node_id, batch)
        return {message_id: refused for message_id, refused in refusals.items() if refused}
