"""How many objects there are and how they are: counted when Prometheus asks."""

from collections import Counter
from collections.abc import Iterable

from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from isek_operator.kinds import BY_NAME, CUSTOM_KINDS
from isek_operator.store import Store


class Census(Collector):
    """Counts what the store holds."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """The metrics without their samples, which a registry asks for in the beginning."""
        yield _objects()
        yield _conditions()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The metrics."""
        objects, conditions = _objects(), _conditions()
        for kind in BY_NAME:
            objects.add_metric((kind,), self._store.count(kind))
        for labels, count in sorted(Counter(self._conditions()).items()):
            conditions.add_metric(labels, count)
        yield objects
        yield conditions

    def _conditions(self) -> Iterable[tuple[str, str, str]]:
        for kind in CUSTOM_KINDS:
            for key in self._store.keys(kind.kind):
                status = (self._store.get(key) or {}).get("status") or {}
                for condition in status.get("conditions") or ():
                    yield kind.kind, condition["type"], condition["status"]


def _objects() -> GaugeMetricFamily:
    return GaugeMetricFamily("isek_operator_objects", "Objects in memory, by kind.", labels=("kind",))


def _conditions() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "isek_operator_conditions",
        "Custom resources by kind and by the status of each of their conditions. Reconciling and Stalled are there "
        "only while they are True.",
        labels=("kind", "condition", "status"),
    )
