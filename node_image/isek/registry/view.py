"""What a registry knows of its mesh at this moment, with indexes for the hot path."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator

from isek.registry.record import NodeRecord

REMEMBERED_SECONDS = 600.0
REMEMBERED = 256


class View:
    """Records by key, found by the address of an agent or by a peer id in constant time."""

    def __init__(self) -> None:
        self._records: dict[str, NodeRecord] = {}
        self._index: dict[str, dict[str, NodeRecord]] = {}
        self._change = asyncio.Event()
        self._gone: deque[tuple[float, NodeRecord]] = deque(maxlen=REMEMBERED)

    def __contains__(self, key: str) -> bool:
        return key in self._records

    def keys(self) -> set[str]:
        """Where the known records stand."""
        return set(self._records)

    def records(self) -> tuple[NodeRecord, ...]:
        """All known records."""
        return tuple(self._records.values())

    def at(self, address: str) -> tuple[NodeRecord, ...]:
        """The nodes that host ``<agent>.<namespace>``."""
        return tuple(self._index.get(f"agent:{address}", {}).values())

    def lately_at(self, address: str) -> list[NodeRecord]:
        """Some that hosted it until ten minutes ago: what they have signed may still be on its way."""
        since = time.monotonic() - REMEMBERED_SECONDS
        return [record for gone_at, record in self._gone if gone_at > since and f"agent:{address}" in _names(record)]

    def has_peer(self, peer_id: str) -> bool:
        """Whether a node has this libp2p peer id."""
        return f"peer:{peer_id}" in self._index

    def listeners(self, topic: str) -> tuple[NodeRecord, ...]:
        """The nodes where somebody listens to a topic; ``*``: to any."""
        return tuple(self._index.get(f"topic:{topic}", {}).values())

    def offering(self, capability: str) -> tuple[NodeRecord, ...]:
        """The nodes of the agents that offer a capability."""
        return tuple(self._index.get(f"capability:{capability}", {}).values())

    def capabilities(self) -> list[str]:
        """All that agents offer."""
        return sorted(name.removeprefix("capability:") for name in self._index if name.startswith("capability:"))

    def node(self, node_id: str) -> NodeRecord | None:
        """The node of that id, if it is there."""
        return next(iter(self._index.get(f"node:{node_id}", {}).values()), None)

    def of_peer(self, peer_id: str) -> tuple[NodeRecord, ...]:
        """The nodes that have this libp2p peer id."""
        return tuple(self._index.get(f"peer:{peer_id}", {}).values())

    def addresses(self) -> list[str]:
        """All agents' addresses."""
        return sorted(name.removeprefix("agent:") for name in self._index if name.startswith("agent:"))

    def put(self, key: str, record: NodeRecord) -> None:
        """Know a record, in the place of what stood at the key."""
        replaced = self._take_out(key)
        if replaced is not None and replaced.card_key != record.card_key:
            self._remember(replaced)
        self._records[key] = record
        for name in _names(record):
            self._index.setdefault(name, {})[key] = record

    def remove(self, key: str) -> None:
        """Forget a record; one that is not known is no error."""
        removed = self._take_out(key)
        if removed is not None:
            self._remember(removed)

    def _take_out(self, key: str) -> NodeRecord | None:
        record = self._records.pop(key, None)
        for name in set(_names(record)) if record else ():
            found = self._index[name]
            del found[key]
            if not found:
                del self._index[name]
        return record

    def _remember(self, record: NodeRecord) -> None:
        self._gone.append((time.monotonic(), record))

    def notify(self) -> None:
        """Wake those who wait for a change."""
        self._change.set()
        self._change = asyncio.Event()

    async def changed(self) -> None:
        """Wait for the next change."""
        await self._change.wait()


def _names(record: NodeRecord) -> Iterator[str]:
    yield f"node:{record.node_id}"
    for agent in record.agents:
        yield f"agent:{agent.name}.{record.namespace}"
        for capability in agent.capabilities:
            yield f"capability:{capability}"
    topics = {*record.topics, *(topic for agent in record.agents for topic in agent.topics)}
    for topic in {*topics, "*"} if topics else ():
        yield f"topic:{topic}"
    if record.peer_id:
        yield f"peer:{record.peer_id}"
