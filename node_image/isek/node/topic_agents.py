"""Agents that listen: each message is a task for one replica of the agent."""

import asyncio
from collections.abc import Iterable
from functools import partial

from isek.asking import CallContext
from isek.cancelling import cancel
from isek.errors import CallError, IsekError
from isek.log import log
from isek.node.allowed import check_agent
from isek.node.host import Host
from isek.node.hosted import Hosted
from isek.protocol.traceparent import child_of
from isek.registry.backoff import Backoff
from isek.topics.message import OUTSIDE, TopicMessage
from isek.topics.subscription import Subscription
from isek.topics.topics import Topics

HAND_OVER_SECONDS = 15.0
"""At the end, for those who do not take what was published: they would hold up the end of the node."""
ATTEMPTS = 4
"""Of a run that fails for what may be gone when the same is asked again."""


class TopicAgents:
    """Lets the agents of a node work on what they hear, as many messages at a time as the agent takes tasks.

    Args:
        host: runs them.
        topics: where they listen.
    """

    def __init__(self, host: Host, topics: Topics) -> None:
        self._host = host
        self._topics = topics
        self._listening: list[asyncio.Task[None]] = []
        self._working: set[asyncio.Task[None]] = set()
        self._subscriptions: list[Subscription] = []

    def listen(self, agents: Iterable[Hosted]) -> None:
        """Begin."""
        for hosted in agents:
            if hosted.topics:
                subscription = self._topics.listen(hosted.topics, agent=hosted.name, hears=partial(_hears, hosted))
                self._subscriptions.append(subscription)
                self._listening.append(
                    asyncio.create_task(self._listen(hosted, subscription), name=f"messages for {hosted.address}")
                )

    def stop_listening(self) -> None:
        """Hear nothing from other nodes any more."""
        self._topics.stop_listening()

    async def handed_over(self) -> None:
        """Wait until others have what was published here, some seconds at most."""
        await self._topics.handed_over(HAND_OVER_SECONDS)

    @property
    def busy(self) -> bool:
        """Whether anything is worked on, waits here, or is on its way to others."""
        return bool(self._working) or any(len(each.line) for each in self._subscriptions) or self._topics.handing_over

    async def finished(self) -> None:
        """Wait until all that was heard is worked on; nothing new is to come."""
        while self._working or any(len(each.line) for each in self._subscriptions):
            if self._working:
                await asyncio.wait(self._working, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(0)

    async def close(self) -> None:
        """Neither listen nor publish any more; who works, ends."""
        for task in (*self._listening, *self._working):
            await cancel(task)
        await self._topics.close()

    async def _listen(self, hosted: Hosted, subscription: Subscription) -> None:
        slots = asyncio.Semaphore(hosted.max_concurrent_tasks)
        async for message in subscription:
            await slots.acquire()
            work = asyncio.create_task(self._work(hosted, message), name=f"a message for {hosted.address}")
            self._working.add(work)
            work.add_done_callback(self._working.discard)
            work.add_done_callback(lambda _: slots.release())

    async def _work(self, hosted: Hosted, message: TopicMessage) -> None:
        backoff = Backoff(first=0.5, longest=10.0)
        attempts = 0
        while failed := await self._try(hosted, message):
            attempts += failed.code != "TooManyTasks"  # its turn comes
            if not failed.transient or attempts == ATTEMPTS:
                log().error(
                    "{} did not manage a message",
                    hosted.address,
                    topic=message.topic,
                    message=message.id,
                    sender=message.sender,
                    reason=str(failed),
                )
                return
            await backoff.wait()

    async def _try(self, hosted: Hosted, message: TopicMessage) -> IsekError | None:
        context = CallContext(
            deadline=float("inf"), depth=message.depth, traceparent=child_of(message.traceparent), caller=message.sender
        )
        try:
            await self._host.answer(hosted.name, message.text, context, path="local")
        except IsekError as error:
            return error
        return None


def _hears(hosted: Hosted, sender: str) -> bool:
    try:
        check_sender(hosted, sender)
    except CallError as refused:
        log().info("{}", refused.message)
        return False
    return True


def check_sender(hosted: Hosted, sender: str) -> None:
    """Let only those tell an agent something who may ask it.

    Raises:
        CallError: ``Forbidden``.
    """
    if not sender.startswith(OUTSIDE):
        check_agent(hosted, sender, sender.partition(".")[2])
    elif not hosted.access.anyone:
        raise CallError(
            "Forbidden",
            f"{hosted.address} takes nothing from topics that comes from outside of its mesh",
            hint=f"see spec.access.outside of {hosted.address}",
            status=403,
        )
