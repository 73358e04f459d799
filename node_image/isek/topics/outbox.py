"""What is on its way to one other node."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from isek.cancelling import cancel
from isek.errors import CallError
from isek.log import log
from isek.registry.backoff import Backoff, one_line
from isek.registry.record import NodeRecord
from isek.topics.message import TopicMessage
from isek.topics.published import Published
from isek.topics.recipients import PROGRAMS
from isek.topics.subscription import ROOM
from isek.topics.waiting_line import WaitingLine

MOST_AT_ONCE = 512
MOST_BYTES_AT_ONCE = 1024 * 1024
REFUSED = {400, 413}
"""Statuses of a node that will never take what it was sent."""
QUEUE_FULL = "QueueFull"
NOT_SUBSCRIBED = "NotSubscribed"


@dataclass(slots=True)
class Delivery:
    """A message for some of those who listen on another node."""

    message: TopicMessage
    published: Published
    to: list[str]
    """As :meth:`Topics.accept` takes it; those who have it are taken out."""


Refusals = dict[str, dict[str, str]]
"""By message id what :meth:`Topics.accept` returned, where it was not empty."""
Send = Callable[[NodeRecord, Sequence[Delivery]], Awaitable[Refusals]]
"""Carries messages to a node, and tells who did not get theirs. Raises ``CallError`` where the node did not answer."""


class Outbox:
    """Hands messages over to one node, in their order, until it has taken each or has left the mesh.

    Args:
        record: the node; None: it has left.
        send: asks it to take some.
        elsewhere: finds another replica for a message to an agent that is no more on this node; returns False where
            there is none.
        empty: is told that nothing is left.
    """

    def __init__(
        self,
        record: Callable[[], NodeRecord | None],
        send: Send,
        elsewhere: Callable[[Delivery, str], bool],
        empty: Callable[[], None],
    ) -> None:
        self.line: WaitingLine[Delivery] = WaitingLine(ROOM)
        self._record = record
        self._send = send
        self._elsewhere = elsewhere
        self._empty = empty
        self._sending: asyncio.Task[None] | None = None
        self._alone = 0
        """How many are to be sent one by one, to find the one that is refused."""

    def put(self, delivery: Delivery) -> None:
        """Hand this one over, too."""
        self.line.put(delivery, delivery.message.priority)
        if self._sending is None:
            self._sending = asyncio.create_task(self._hand_over(), name="messages to another node")

    async def emptied(self) -> None:
        """Wait until nothing is left."""
        if self._sending is not None:
            await asyncio.wait([self._sending])

    async def close(self) -> None:
        """Stop; what is not handed over yet is lost."""
        if self._sending is not None:
            await cancel(self._sending)

    async def _hand_over(self) -> None:
        backoff = Backoff(first=0.02, longest=2.0)
        while len(self.line):
            # those that were published in the same moment go together
            await asyncio.sleep(0)
            batch = self._batch()
            record = self._record()
            if record is None:
                self._no_more(batch)
                continue
            try:
                refusals = await self._send(record, batch)
            except Exception as error:
                if isinstance(error, CallError) and error.status not in REFUSED:
                    log().debug("messages for {} wait: {}", record.node_id, one_line(error))
                    self._again(batch)
                    await backoff.wait()
                else:
                    self._refused(record, batch, error)
                continue
            self._alone = max(self._alone - len(batch), 0)
            self._settle(batch, refusals)
            if len(refusals) < len(batch):
                backoff.reset()
            if refusals:
                await backoff.wait()
        self._sending = None
        self._empty()

    def _batch(self) -> list[Delivery]:
        batch = self.line.take(1 if self._alone else MOST_AT_ONCE)
        size = 0
        for count, delivery in enumerate(batch):
            size += len(delivery.message.body)
            if size > MOST_BYTES_AT_ONCE and count:
                self._again(batch[count:])
                return batch[:count]
        return batch

    def _again(self, batch: Sequence[Delivery]) -> None:
        for delivery in reversed(batch):
            self.line.put_back(delivery, delivery.message.priority)

    def _refused(self, record: NodeRecord, batch: Sequence[Delivery], error: Exception) -> None:
        """One among these cannot be handed over, now or ever: the others are not to wait for it."""
        if len(batch) > 1:
            self._alone = len(batch)
            self._again(batch)
            return
        self._alone = max(self._alone - 1, 0)
        (delivery,) = batch
        log().error("{} does not take message {}: {}", record.node_id, delivery.message.id, one_line(error))
        for _ in delivery.to:
            delivery.published.settle(heard=False)

    def _no_more(self, batch: Sequence[Delivery]) -> None:
        """Those whom these are for listen on this node no more."""
        for delivery in batch:
            for to in delivery.to:
                if to == PROGRAMS or not self._elsewhere(delivery, to):
                    delivery.published.settle(heard=False)

    def _settle(self, batch: Sequence[Delivery], refusals: Refusals) -> None:
        again: list[Delivery] = []
        for delivery in batch:
            refused = refusals.get(delivery.message.id, {})
            for _ in range(len(delivery.to) - len(refused)):
                delivery.published.settle(heard=True)
            self._no_more([replace(delivery, to=[to for to, reason in refused.items() if reason != QUEUE_FULL])])
            delivery.to = [to for to, reason in refused.items() if reason == QUEUE_FULL]
            if delivery.to:
                again.append(delivery)
        self._again(again)
