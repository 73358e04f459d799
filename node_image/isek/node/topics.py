"""The topics of the mesh, for what runs on a node and for who asks it."""

import asyncio
from typing import Any

from isek.asking import CallContext
from isek.errors import CallError
from isek.log import log
from isek.node.membership import Membership
from isek.node.settings import NodeSettings
from isek.protocol.topics import TopicCarrier
from isek.registry import NodeRecord, Registry
from isek.registry.record import RecordError
from isek.topics.history import newest
from isek.topics.message import Priority, TopicMessage
from isek.topics.topics import PATIENCE_SECONDS, Topics

ANNOUNCE_SECONDS = 0.5


class NodeTopics:
    """What is published and listened to on this node, and what was published anywhere.

    Args:
        settings: of this node.
        registry: who listens elsewhere.
        carrier: the way there.
        membership: tells the mesh what is listened to here.
    """

    def __init__(
        self, settings: NodeSettings, registry: Registry, carrier: TopicCarrier, membership: Membership
    ) -> None:
        self._node_id = settings.node_id
        self._registry = registry
        self._carrier = carrier
        self._membership = membership
        self._announced_at = float("-inf")
        self._announcing: asyncio.TimerHandle | None = None
        own = NodeRecord(
            node_id=settings.node_id, namespace=settings.namespace, host=settings.advertise_host, port=settings.port
        )
        self.here = Topics(own, registry, carrier.hand_over, self._announce)

    def _announce(self) -> None:
        """Tell the mesh, at most twice a second: whoever comes and goes must not keep the registry busy."""
        if self._announcing is None:
            loop = asyncio.get_running_loop()
            wait = max(0.0, self._announced_at + ANNOUNCE_SECONDS - loop.time())
            self._announcing = loop.call_later(wait, self._announce_now)

    def _announce_now(self) -> None:
        self._announcing, self._announced_at = None, asyncio.get_running_loop().time()
        try:
            self._membership.update(topics=self.here.listening.topics)
        except RecordError as error:
            log().error("others cannot know what is listened to here: {}", error)

    def check_joined(self) -> None:
        """Whether it is known who listens, and where.

        Raises:
            CallError: ``NotReady``: the node has not joined its mesh yet.
        """
        if not self._membership.joined:
            waiting = self._membership.waiting_for
            raise CallError("NotReady", f"the node waits for {waiting}", hint="ask again", status=503, retryable=True)

    async def publish_from(self, context: CallContext, topic: str, payload: Any, priority: Priority) -> int:
        """See :class:`isek.asking.Publishes`."""
        published = await self.here.publish(
            topic,
            payload,
            sender=context.hosted_as,
            priority=priority,
            depth=context.deeper().depth,
            traceparent=context.traceparent,
            within=min(context.remaining_seconds(), PATIENCE_SECONDS),
        )
        return published.listeners

    async def history(self, topic: str, limit: int) -> tuple[list[TopicMessage], list[str]]:
        """The newest messages of a topic, wherever they were published, and the nodes that did not answer.

        Raises:
            CallError: ``InvalidRequest``.
        """
        here = self.here.history(topic, limit)
        others = [each for each in self._registry.peers() if each.node_id != self._node_id]
        there, missing = await self._carrier.history(others, topic, limit)
        return newest(sorted((*here, *there), key=lambda each: each.published_at), limit), missing
