"""What a program hears."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Self

from isek.sync import background_loop
from isek.topics.message import TopicMessage
from isek.topics.subscription import Subscription


class Messages:
    """The messages of topics, from now on. Iterate over them, with ``for`` or ``async for``; the node's end ends them.

    Use it in a ``with`` block, or call ``close``.
    """

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    def close(self) -> None:
        """Listen no more; what still waits is lost."""
        background_loop().call_soon_threadsafe(self._subscription.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[TopicMessage]:
        return self

    def __next__(self) -> TopicMessage:
        message = asyncio.run_coroutine_threadsafe(self._subscription.line.get(), background_loop()).result()
        if message is None:
            raise StopIteration
        return message

    def __aiter__(self) -> AsyncIterator[TopicMessage]:
        return self

    async def __anext__(self) -> TopicMessage:
        getting = asyncio.run_coroutine_threadsafe(self._subscription.line.get(), background_loop())
        message = await asyncio.wrap_future(getting)
        if message is None:
            raise StopAsyncIteration
        return message
