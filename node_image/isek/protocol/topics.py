"""Topics between nodes: handing messages over, and asking for those of the past."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from isek.errors import CallError
from isek.protocol.http_client import HttpAnswer
from isek.registry.record import NodeRecord
from isek.together import together
from isek.topics.history import newest
from isek.topics.message import TopicMessage
from isek.topics.outbox import Delivery, Refusals
from isek.topics.wire import HandedOver, HandOver, HistoryRequest, Messages, Refused, WireMessage, read, written

MESSAGES_PATH = "/isek/messages"
HISTORY_PATH = "/isek/history"
HAND_OVER_SECONDS = 10.0
HISTORY_SECONDS = 5.0
ASKED_AT_ONCE = 16

Post = Callable[[NodeRecord, str, bytes, float], Awaitable[HttpAnswer]]
"""Sends a body to a path of a node, and returns its answer within so many seconds."""


class TopicCarrier:
    """Carries messages to other nodes.

    Args:
        post: the way there.
    """

    def __init__(self, post: Post) -> None:
        self._post = post

    async def hand_over(self, node: NodeRecord, batch: Sequence[Delivery]) -> Refusals:
        """See :data:`isek.topics.outbox.Send`."""
        messages = tuple(
            HandedOver(**dict(WireMessage.of(each.message)), to=tuple(each.to))  # its fields, not looked at again
            for each in batch
        )
        body = written(HandOver(messages=messages))
        return read(Refused, await self._ask(node, MESSAGES_PATH, body, HAND_OVER_SECONDS)).refused

    async def history(
        self, nodes: Iterable[NodeRecord], topic: str, limit: int
    ) -> tuple[list[TopicMessage], list[str]]:
        """What was published on other nodes, and the ids of those that did not answer."""
        body = written(HistoryRequest(topic=topic, limit=limit))
        slots = asyncio.Semaphore(ASKED_AT_ONCE)

        found: list[TopicMessage] = []
        missing: list[str] = []

        async def add(node: NodeRecord) -> None:
            try:
                async with slots:
                    answer = await self._ask(node, HISTORY_PATH, body, HISTORY_SECONDS)
                told = [each.message() for each in read(Messages, answer).messages]
            except CallError:
                missing.append(node.node_id)
            else:  # no more at a time than is asked for, however many nodes there are
                found[:] = newest(sorted((*found, *told), key=lambda each: each.published_at), limit)

        await together(add(node) for node in nodes)
        return found, missing

    async def _ask(self, node: NodeRecord, path: str, body: bytes, within: float) -> bytes:
        answer = await self._post(node, path, body, within)
        if answer.status == 200:
            return answer.body
        raise CallError(
            "AgentUnreachable",
            f"{node.node_id} answered HTTP {answer.status}: {answer.body[:200]!r}",
            status=answer.status,
        )
