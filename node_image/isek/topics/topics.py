"""The topics of a mesh, as one node sees them: who listens here, and what goes out to those who listen elsewhere."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from isek.errors import CallError
from isek.log import log
from isek.registry.record import AgentRecord, NodeRecord
from isek.topics.history import History
from isek.topics.message import Priority, TopicMessage, check_topic, encode
from isek.topics.outbox import NOT_SUBSCRIBED, QUEUE_FULL, Delivery, Outbox, Refusals, Send
from isek.topics.published import Published
from isek.topics.recipients import PROGRAMS, Audience, agents_that_want, one_of, recipients, wants
from isek.topics.room import check_room
from isek.topics.subscription import Subscription
from isek.topics.waiting_line import WaitingLine

PATIENCE_SECONDS = 10.0
"""That a publisher waits for those who listen too slowly."""
STUCK_SECONDS = 10.0
"""A program whose line is full for so long, and that takes nothing out of it, is taken for gone."""
FORBIDDEN = "Forbidden"
"""Why an agent that takes nothing from a sender did not get its message."""
REMEMBERED = 50_000
"""Messages that would be known again; those that other nodes are still trying to hand over are far fewer."""


class Topics:
    """Publishing and listening.

    A message reaches each program that listens, and one replica of each agent that does. A node that does not take it
    is asked again until it does, or has left the mesh: so a message may come twice, and gets lost between the living
    never. What waits for a listener is lost with the listener's process.

    Args:
        own: this node.
        audience: who listens elsewhere.
        send: carries messages to another node.
        announce: is told whenever something else is listened to here.
    """

    def __init__(
        self, own: NodeRecord, audience: Audience, send: Send, announce: Callable[[], None] = lambda: None
    ) -> None:
        self._own = own
        self._audience = audience
        self._send = send
        self._announce = announce
        self._subscriptions: list[Subscription] = []
        self._listening = own
        self._outboxes: dict[tuple[str, str], Outbox] = {}
        """By node and topic: a topic that is not taken holds up no other."""
        self._history = History()
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._deaf = False

    def stop_listening(self) -> None:
        """Accept nothing from other nodes any more: what is for agents here goes to their other replicas."""
        self._deaf = True
        self._changed()

    @property
    def handing_over(self) -> bool:
        """Whether something that was published here is on its way."""
        return bool(self._outboxes)

    async def handed_over(self, within: float) -> None:
        """Wait until nothing is on its way any more, so many seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await asyncio.gather(*(outbox.emptied() for outbox in self._outboxes.values()))

    async def close(self) -> None:
        """Hand nothing over any more, and end all who listen."""
        for outbox in list(self._outboxes.values()):
            await outbox.close()
        for subscription in list(self._subscriptions):
            subscription.close()

    def listen(
        self,
        topics: Iterable[str],
        *,
        agent: str = PROGRAMS,
        outsider: str | None = None,
        hears: Callable[[str], bool] = lambda _: True,
    ) -> Subscription:
        """Hear what is published from now on to one of ``topics``, or to everybody.

        Args:
            topics: at least one.
            agent: the name of this node's agent that listens; of all replicas of an agent one hears a message.
            outsider: the program that listens over HTTP; None: what runs on this node.
            hears: whether it takes what this sender publishes; default: whoever it is.

        Raises:
            CallError: ``InvalidRequest``: a name that no topic can have. ``TooManyTopics``.
        """
        wanted = {check_topic(topic) for topic in topics}
        if agent == PROGRAMS:
            check_room(wanted, self._subscriptions, outsider)
        address = agent and f"{agent}.{self._own.namespace}"
        subscription = Subscription(wanted, address, self._closed, outsider, hears)
        self._subscriptions.append(subscription)
        self._changed()
        return subscription

    @property
    def listening(self) -> NodeRecord:
        """This node, with nothing but what is listened to here."""
        return self._listening

    def accept(self, message: TopicMessage, to: Iterable[str]) -> dict[str, str]:
        """Take a message from another node.

        Args:
            message: what was published there.
            to: the addresses of the agents that it is for, and ``PROGRAMS`` where it is for programs.

        Returns:
            Who did not get it, and why: ``NotSubscribed``, ``QueueFull``, ``Forbidden``. Who has it already is not
            among them.
        """
        refused = {}
        for each in to:
            if (message.id, each) in self._seen:
                continue
            listeners = self._listeners(message.topic, each)
            lines = [subscription.line for subscription in _that_hear(message, listeners)]
            if self._deaf or not listeners:
                refused[each] = NOT_SUBSCRIBED
            elif not lines:
                refused[each] = FORBIDDEN
            elif not all(line.has_room(message.priority) for line in lines):
                refused[each] = QUEUE_FULL
            else:
                for line in lines:
                    line.put(message, message.priority)
                self._remember(message.id, each)
        return refused

    async def publish(
        self,
        topic: str,
        payload: Any,
        *,
        sender: str = "",
        priority: Priority = Priority.NORMAL,
        depth: int = 0,
        traceparent: str | None = None,
        within: float = PATIENCE_SECONDS,
    ) -> Published:
        """Publish to all who listen to ``topic`` now; to ``EVERYBODY``: to all who listen to any.

        Returns once the message waits in all their lines here, and is on its way to all other nodes.

        Args:
            topic: where.
            payload: any JSON value.
            sender: who says it; default: this node.
            priority: whom it may overtake.
            depth: how many agents asked each other until now.
            traceparent: the trace it belongs to.
            within: seconds to wait for those who listen too slowly.

        Raises:
            CallError: ``InvalidRequest``, ``BodyTooLarge``; ``QueueFull``: somebody's line stayed full; nobody got it.
        """
        message = TopicMessage(
            topic=check_topic(topic, everybody=True),
            body=encode(payload),
            sender=sender or self._own.node_id,
            priority=Priority(priority),
            depth=depth,
            traceparent=traceparent,
        )
        found = self._recipients(message)
        while full := [line for line in self._lines(message, found) if not line.has_room(message.priority)]:
            begun = asyncio.get_running_loop().time()
            await _room(full[0], message, within)
            within -= asyncio.get_running_loop().time() - begun
            found = self._recipients(message)
        self._history.keep(message)
        here = [each for to in found.pop(self._own.node_id, ()) for each in self._listeners(message.topic, to)]
        published = Published(message.id, len(here) + sum(map(len, found.values())))
        for subscription in here:
            _put(subscription, message, published)
        for node_id, to in found.items():
            self._outbox(node_id, message.topic).put(Delivery(message, published, to))
        return published

    def history(self, topic: str, limit: int) -> list[TopicMessage]:
        """What was published on this node, the newest last.

        Raises:
            CallError: ``InvalidRequest``.
        """
        return self._history.of(check_topic(topic, everybody=True), limit)

    def _closed(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            self._changed()

    def _changed(self) -> None:
        topics: dict[str, set[str]] = {}
        for each in () if self._deaf else self._subscriptions:
            topics.setdefault(each.agent, set()).update(each.topics)
        programs = topics.pop(PROGRAMS, set())
        agents = (
            AgentRecord(name=address.partition(".")[0], topics=tuple(sorted(wanted)))
            for address, wanted in topics.items()
        )
        self._listening = self._own.model_copy(update={"topics": tuple(sorted(programs)), "agents": tuple(agents)})
        self._announce()

    def _listeners(self, topic: str, agent: str) -> list[Subscription]:
        found = [each for each in self._subscriptions if each.agent == agent and wants(each.topics, topic)]
        if agent != PROGRAMS:
            return found  # its tasks may take long
        for each in found:
            if each.line.stuck_for(STUCK_SECONDS):
                log().warning("a program that listens to {} has read nothing for a while, and is left out", topic)
                each.close()
        return [each for each in found if not each.closed]

    def _remember(self, message_id: str, listener: str) -> None:
        self._seen[message_id, listener] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def _recipients(self, message: TopicMessage) -> dict[str, list[str]]:
        return recipients(self._audience, message.topic, message.id, self._listening)

    def _lines(self, message: TopicMessage, found: dict[str, list[str]]) -> list[WaitingLine[Any]]:
        here = [each for to in found.get(self._own.node_id, ()) for each in self._listeners(message.topic, to)]
        keys = [(node_id, message.topic) for node_id in found]
        lines = [each.line for each in _that_hear(message, here)]
        return [*lines, *(self._outboxes[key].line for key in keys if key in self._outboxes)]

    def _outbox(self, node_id: str, topic: str) -> Outbox:
        key = (node_id, topic)
        if key not in self._outboxes:
            self._outboxes[key] = Outbox(
                lambda: self._audience.node(node_id),
                self._hand_over,
                lambda delivery, agent: self._elsewhere(delivery, agent, node_id),
                lambda: self._outboxes.__delitem__(key),
            )
        return self._outboxes[key]

    async def _hand_over(self, record: NodeRecord, batch: Sequence[Delivery]) -> Refusals:
        """Send messages to a node; who takes nothing from their senders is done with: no other replica would."""
        refusals = await self._send(record, batch)
        for delivery in batch:
            refused = refusals.get(delivery.message.id, {})
            for to in [each for each, reason in refused.items() if reason == FORBIDDEN and each in delivery.to]:
                delivery.to.remove(to)
                delivery.published.refuse()
                del refused[to]
        return {message_id: refused for message_id, refused in refusals.items() if refused}

    def _elsewhere(self, delivery: Delivery, agent: str, than: str) -> bool:
        """Send a message for an agent to another of its replicas than that on a node; False: there is none."""
        message = delivery.message
        records = [each for each in self._audience.listeners(message.topic) if each.node_id != self._own.node_id]
        node_ids = {
            each.node_id for each in (self._listening, *records) if agent in agents_that_want(each, message.topic)
        }
        node_ids.discard(than)
        if not node_ids:
            return False
        other = one_of(node_ids, message.id)
        if other != self._own.node_id:
            self._outbox(other, message.topic).put(replace(delivery, to=[agent]))
            return True
        for subscription in self._listeners(message.topic, agent):
            _put(subscription, message, delivery.published)
        return True


def _that_hear(message: TopicMessage, listening: Iterable[Subscription]) -> list[Subscription]:
    """Those who take what its sender publishes."""
    return [each for each in listening if each.hears(message.sender)]


def _put(subscription: Subscription, message: TopicMessage, published: Published) -> None:
    if subscription.hears(message.sender):
        subscription.line.put(message, message.priority)
        published.settle(heard=True)
    else:
        published.refuse()


async def _room(line: WaitingLine[Any], message: TopicMessage, within: float) -> None:
    try:
        async with asyncio.timeout(within):
            await line.room(message.priority)
    except TimeoutError:
        raise CallError(
            QUEUE_FULL,
            f"not all who listen to topic {message.topic!r} keep up: a line of {len(line)} messages does not move",
            hint="publish less often, listen faster, or give what matters a higher priority",
            status=429,
            retryable=True,
        ) from None
