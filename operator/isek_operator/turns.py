"""Who waits to be rolled out for a new version of the operator, and who is next."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from isek_operator.decide.outcome import Upgrade
from isek_operator.keys import Key
from isek_operator.metrics import Metrics
from isek_operator.store import Store


class Turns:
    """A line of custom resources. As many are called at a time as may begin; each looks for itself whether it may.

    Nothing is remembered over a restart: whoever finds that it has to wait joins the line again.
    """

    def __init__(
        self, store: Store, call: Callable[[Key], None], metrics: Metrics, *, revision: str, most: int
    ) -> None:
        self._store, self._call, self._metrics = store, call, metrics
        self._revision, self._most = revision, most
        self._waiting: dict[Key, None] = {}
        self._called: set[Key] = set()

    @contextmanager
    def during(self, key: Key) -> Iterator[None]:
        """A run for the resource: it leaves the line, and whatever the run does may let others begin."""
        self._waiting.pop(key, None)
        self._called.discard(key)
        try:
            yield
        finally:
            self._next()

    @contextmanager
    def taking(self, key: Key, upgrade: Upgrade) -> Iterator[None]:
        """What a decision has said is carried out: one that waits joins the line, one that begins counts at once."""
        if upgrade is Upgrade.WAITS:
            self._waiting[key] = None
        if upgrade is not Upgrade.BEGINS:
            yield
            return
        with self._store.beginning_upgrade(key, self._revision):
            yield

    def _next(self) -> None:
        under_way = self._store.upgrades().get(self._revision, 0)
        for key in list(self._waiting)[: max(self._most - under_way - len(self._called), 0)]:
            del self._waiting[key]
            self._called.add(key)
            self._call(key)
        self._metrics.outdated.set(len(self._waiting) + len(self._called))
        self._metrics.upgrading.set(under_way)
