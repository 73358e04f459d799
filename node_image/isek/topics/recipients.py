"""Who gets a message."""

import hashlib
from collections.abc import Collection, Iterable
from typing import Protocol

from isek.registry.record import NodeRecord
from isek.topics.message import EVERYBODY

PROGRAMS = ""
"""Stands where the address of an agent stands: all subscriptions of programs on a node, each of which gets a copy."""


class Audience(Protocol):
    """Who listens where, as the registry tells."""

    def listeners(self, topic: str) -> tuple[NodeRecord, ...]:
        """The nodes where somebody listens to a topic; to ``EVERYBODY``: to any."""
        ...

    def node(self, node_id: str) -> NodeRecord | None:
        """The node of that id; None: it is in the mesh no more."""
        ...


def recipients(audience: Audience, topic: str, message_id: str, own: NodeRecord) -> dict[str, list[str]]:
    """By the id of a node whom there a message is for: all programs that listen, and one replica of each agent.

    Which replica, the message's id says: they share an agent's messages evenly.

    Args:
        audience: who listens elsewhere.
        topic: what to.
        message_id: of the message.
        own: what is listened to on this node, in the place of what the registry knows of it by now.
    """
    found: dict[str, list[str]] = {}
    agents: dict[str, list[str]] = {}
    for record in (own, *(each for each in audience.listeners(topic) if each.node_id != own.node_id)):
        if wants(record.topics, topic):
            found.setdefault(record.node_id, []).append(PROGRAMS)
        for address in agents_that_want(record, topic):
            agents.setdefault(address, []).append(record.node_id)
    for address, node_ids in agents.items():
        found.setdefault(one_of(node_ids, message_id), []).append(address)
    return found


def agents_that_want(record: NodeRecord, topic: str) -> list[str]:
    """The addresses of a node's agents that listen to a topic."""
    return [f"{agent.name}.{record.namespace}" for agent in record.agents if wants(agent.topics, topic)]


def wants(topics: Collection[str], topic: str) -> bool:
    """Whether who listens to ``topics`` hears what is published to ``topic``."""
    return bool(topics) if topic == EVERYBODY else topic in topics


def one_of(node_ids: Iterable[str], message_id: str) -> str:
    """One of them, by rendezvous hashing."""
    return max(node_ids, key=lambda each: hashlib.blake2b(f"{message_id}\0{each}".encode(), digest_size=8).digest())
