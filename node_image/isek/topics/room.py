"""To how many topics programs may listen: the registry has room for so many of a node."""

from collections.abc import Collection, Iterable

from isek.errors import CallError
from isek.topics.recipients import PROGRAMS
from isek.topics.subscription import Subscription

MAX_TOPICS = 24
"""Of all programs on one node."""
MAX_TOPICS_OF_OUTSIDERS = 16
"""Of those that listen over HTTP: they leave room for what runs on the node."""
MAX_TOPICS_OF_ONE = 8
"""Of one of those: none keeps out the others."""


def check_room(wanted: Collection[str], listening: Iterable[Subscription], outsider: str | None) -> None:
    """Whether a program may listen to ``wanted`` as well.

    Args:
        wanted: topics.
        listening: all who listen on this node.
        outsider: who wants to, over HTTP; None: a program on the node.

    Raises:
        CallError: ``TooManyTopics``.
    """
    programs = [each for each in listening if each.agent == PROGRAMS]
    _check("programs on this node listen", MAX_TOPICS, wanted, programs)
    if outsider is not None:
        others = [each for each in programs if each.outsider is not None]
        _check("programs that came over HTTP listen", MAX_TOPICS_OF_OUTSIDERS, wanted, others)
        own = [each for each in others if each.outsider == outsider]
        _check(f"{outsider} listens", MAX_TOPICS_OF_ONE, wanted, own)


def _check(who: str, most: int, wanted: Collection[str], listening: Iterable[Subscription]) -> None:
    taken = frozenset[str]().union(*(each.topics for each in listening))
    if len(taken.union(wanted)) > most:
        raise CallError(
            "TooManyTopics",
            f"{who} to {len(taken)} of {most} topics already",
            hint="take one topic, and say in the messages what they are about; or another node",
            status=429,
        )
