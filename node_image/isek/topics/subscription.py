"""One who listens."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Self

from isek.topics.message import TopicMessage
from isek.topics.waiting_line import WaitingLine

ROOM = 1_000
"""Messages of one priority that wait for a listener; then publishers wait for it."""


class Subscription:
    """What waits for one listener. Iterate over it until it is closed.

    Args:
        topics: what it listens to.
        agent: the address of the agent that listens, or ``PROGRAMS``.
        on_close: is told that it listens no more.
        outsider: the program that listens over HTTP; None: what runs on the node.
        hears: whether it takes what this sender publishes; default: whoever it is.
    """

    def __init__(
        self,
        topics: Iterable[str],
        agent: str,
        on_close: Callable[["Subscription"], None],
        outsider: str | None = None,
        hears: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self.topics = frozenset(topics)
        self.agent = agent
        self.outsider = outsider
        self.hears = hears
        self.line: WaitingLine[TopicMessage] = WaitingLine(ROOM)
        self._on_close = on_close
        self.closed = False

    def close(self) -> None:
        """Listen no more; what still waits is lost."""
        self.closed = True
        self._on_close(self)
        self.line.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> AsyncIterator[TopicMessage]:
        return self

    async def __anext__(self) -> TopicMessage:
        message = await self.line.get()
        if message is None:
            raise StopAsyncIteration
        return message
