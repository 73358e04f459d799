"""What callers may come back to for a while."""

from collections import OrderedDict
from typing import Generic, TypeVar

from isek.models.base import Message

MAX_KEPT = 10_000
MAX_CHARACTERS = 16 * 1024 * 1024

T = TypeVar("T")


class Recent(Generic[T]):
    """The latest of what was said, as much as fits. It is known to this process alone, and ends with it.

    Args:
        max_kept: things that are kept.
        max_characters: of them all.
    """

    def __init__(self, max_kept: int = MAX_KEPT, max_characters: int = MAX_CHARACTERS) -> None:
        self._max_kept = max_kept
        self._left = max_characters
        self._kept: OrderedDict[str, tuple[T, int]] = OrderedDict()

    def keep(self, key: str, value: T, characters: int) -> None:
        """Keep something of so many characters under a key that nobody can guess; the oldest goes where there is no
        room."""
        self.forget(key)
        self._kept[key] = value, characters
        self._left -= characters
        while self._kept and (self._left < 0 or len(self._kept) > self._max_kept):
            self.forget(next(iter(self._kept)))

    def get(self, key: str) -> T | None:
        """What is kept under the key; None: nothing, or no longer."""
        return self._kept[key][0] if key in self._kept else None

    def forget(self, key: str) -> None:
        """Forget it, if it is there."""
        if key in self._kept:
            _, characters = self._kept.pop(key)
            self._left += characters


Unfinished = Recent[tuple[Message, ...]]
"""By the ids of calls of callers' tools: what had been said until an agent wanted them. Callers do not get to see the
part that the agent's own tools have in it."""
