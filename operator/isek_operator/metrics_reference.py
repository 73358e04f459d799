"""Writes docs/reference/metrics.md from the code: ``python -m isek_operator.metrics_reference [--check] FILE``."""

import sys
from collections.abc import Iterable
from typing import NamedTuple

from isek.generated import write_or_check

from isek_operator.census import Census
from isek_operator.metrics import Metrics
from isek_operator.store import Store

HEAD = """\
<!-- Generated from operator/isek_operator by `make generate`. Do not edit. -->
# Metrics of the operator

`/metrics` of each operator, port 9090, in Prometheus' format. `metrics.serviceMonitor.enabled`,
`metrics.rules.enabled` and `metrics.dashboard.enabled` of the chart add a ServiceMonitor, [alerts](alerts.md) and a
dashboard for Grafana. The operator that stands by serves its metrics too: `isek_operator_leader` tells the two apart.

Histograms have a `_bucket`, a `_sum` and a `_count`. Requests of watches are not counted among those of the API server.
Beside these there are the `process_*` metrics of Prometheus' client libraries.

| metric | type | labels | is |
|---|---|---|---|
"""


class Described(NamedTuple):
    """A metric as Prometheus sees it."""

    name: str
    type: str
    labels: tuple[str, ...]
    help: str

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which its samples are."""
        if self.type == "histogram":
            return (f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count")
        return (self.name,)


def described() -> Iterable[Described]:
    """All metrics of the operator, in the order of their names."""
    metrics = Metrics()
    own = [metric for metric in vars(metrics).values() if hasattr(metric, "describe")]
    families = [(family, tuple(metric._labelnames)) for metric in own for family in metric.describe()]
    # a family of the census knows its labels
    families += [(family, tuple(family._labelnames)) for family in Census(Store()).describe()]
    for family, labels in sorted(families, key=lambda each: each[0].name):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield Described(name, family.type, labels, family.documentation)


def page() -> str:
    """The whole page."""
    rows = (
        f"| `{each.name}` | {each.type} | {', '.join(f'`{label}`' for label in each.labels)} | {each.help} |\n"
        for each in described()
    )
    return HEAD + "".join(rows)


if __name__ == "__main__":
    sys.exit(write_or_check(sys.argv[1:], lambda path: {path: page()}))
