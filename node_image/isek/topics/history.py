"""What was published here, for whoever asks later."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable

from isek.topics.message import EVERYBODY, TopicMessage

MAX_MESSAGES = 1_000
"""Of one topic."""
MAX_TOPICS = 256
MAX_BYTES = 16 * 1024 * 1024
"""Of all payloads."""
MAX_ANSWER_BYTES = 1024 * 1024
"""Of the payloads that one is told who asks for the past."""
KEEP_SECONDS = 3600.0
OVERHEAD_BYTES = 500
"""What a message takes beside its payload."""


class History:
    """The newest messages of each topic; the oldest of all go first where there is no room."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._topics: OrderedDict[str, deque[tuple[float, TopicMessage]]] = OrderedDict()
        """The topic that was used last comes last."""
        self._bytes = 0

    def keep(self, message: TopicMessage) -> None:
        """Remember a message."""
        kept = self._topics.setdefault(message.topic, deque())
        self._topics.move_to_end(message.topic)
        kept.append((self._clock(), message))
        self._bytes += _size(message)
        if len(kept) > MAX_MESSAGES:
            self._drop_oldest(message.topic)
        while len(self._topics) > MAX_TOPICS or self._bytes > MAX_BYTES:
            self._drop_oldest(next(iter(self._topics)))

    def of(self, topic: str, limit: int) -> list[TopicMessage]:
        """The newest messages of a topic, the oldest of them first; those to everybody are of each topic."""
        self._forget_old()
        found = [each for name in dict.fromkeys((topic, EVERYBODY)) for each in self._topics.get(name, ())]
        found.sort(key=lambda each: each[0])
        return newest((message for _, message in found), limit)

    def _forget_old(self) -> None:
        before = self._clock() - KEEP_SECONDS
        for topic in list(self._topics):
            while topic in self._topics and self._topics[topic][0][0] < before:
                self._drop_oldest(topic)

    def _drop_oldest(self, topic: str) -> None:
        _, message = self._topics[topic].popleft()
        self._bytes -= _size(message)
        if not self._topics[topic]:
            del self._topics[topic]


def newest(messages: Iterable[TopicMessage], limit: int) -> list[TopicMessage]:
    """The last ``limit`` of some messages, or as many as fit into ``MAX_ANSWER_BYTES``."""
    kept: deque[TopicMessage] = deque()
    size = 0
    for message in reversed(list(messages)[-limit:]):
        size += len(message.body)
        if size > MAX_ANSWER_BYTES:
            break
        kept.appendleft(message)
    return list(kept)


def _size(message: TopicMessage) -> int:
    return len(message.body) + OVERHEAD_BYTES
