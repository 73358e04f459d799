"""Conversations that callers may come back to for a while."""

from collections import OrderedDict
from collections.abc import Sequence

from isek.models.base import Message

MAX_CONVERSATIONS = 10_000
MAX_CHARACTERS = 16 * 1024 * 1024


class Recent:
    """The latest conversations, as many as fit. They are known to this process alone, and end with it.

    Args:
        max_conversations: that are kept.
        max_characters: of them all.
    """

    def __init__(self, max_conversations: int = MAX_CONVERSATIONS, max_characters: int = MAX_CHARACTERS) -> None:
        self._max_conversations = max_conversations
        self._left = max_characters
        self._kept: OrderedDict[str, tuple[Message, ...]] = OrderedDict()

    def keep(self, key: str, said: Sequence[Message]) -> None:
        """Keep what was said under a key that nobody can guess; the oldest goes where there is no room."""
        self.forget(key)
        self._kept[key] = tuple(said)
        self._left -= _size(said)
        while self._kept and (self._left < 0 or len(self._kept) > self._max_conversations):
            self.forget(next(iter(self._kept)))

    def get(self, key: str) -> tuple[Message, ...] | None:
        """What is kept under the key; None: nothing, or no longer."""
        return self._kept.get(key)

    def forget(self, key: str) -> bool:
        """Forget it; whether there was anything."""
        said = self._kept.pop(key, None)
        if said is not None:
            self._left += _size(said)
        return said is not None


def _size(said: Sequence[Message]) -> int:
    return sum(
        len(message.content)
        + sum(len(call.name) + len(call.arguments) for call in message.tool_calls)
        + sum(len(image.url) + len(image.content) for image in message.images)
        for message in said
    )
