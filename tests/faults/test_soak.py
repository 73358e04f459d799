"""An hour of edits in minutes leaves nothing behind in the operator: no memory, no entry, no task, no metric.

``ISEK_FAULTS=all``: 1,000 resources, and an edit for each second of an hour; else a tenth of that. Every round of edits
ends with all resources as they were, so that the operator is to hold what it held before: whatever comes on top is
held for what is over.
"""

import random
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from isek.api import IsekMesh
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.choice import ALL
from tests.faults.estate import Estate
from tests.faults.run import Ground, Run
from tests.integration.operator.resources import mesh
from tests.support.fault_proxy import PASSED_ON, Call, Delivery, NoFaults
from tests.support.operator_insight import BOUNDED, TOLD_IN, Insight, look_into
from tests.support.secure_etcd import SecureEtcd
from tests.support.waiting import until

RESOURCES, ROUNDS, EDITS = (1000, 6, 600) if ALL else (100, 3, 80)
"""``EDITS`` of each round; restoring what they did comes on top."""
FEW = 20
"""Entries, objects or series that come and go by themselves. A round is many times that."""
BLOCKS_PER_EDIT = 10.0
"""A dict and its values take more. What libraries keep, such as orjson the names of 2,048 fields, makes up to 6."""
BYTES_PER_EDIT = 4096
WITHIN = 600.0 if ALL else 120.0
pytestmark = pytest.mark.timeout(3600 if ALL else 600)

AT_REST = ("WorkQueue._due_since", "WorkQueue._waiting", "WorkQueue._working", "WorkQueue._failures", "Turns._waiting")
"""Tables that are empty when nothing is left to do."""


@dataclass
class Interrupted(NoFaults):
    """Watches end as they do several times in an hour: by their timeout, or because their version is too old."""

    chance: random.Random = field(default_factory=lambda: random.Random(4))  # noqa: S311  (no secret)

    def delivery(self, call: Call, event: str, path: str) -> Delivery:
        if self.chance.random() < 0.003:
            return Delivery(then=self.chance.choice(("end", "end", "cut", "gone")))
        return PASSED_ON


async def test_an_hour_of_edits_leaves_nothing_behind(own_ground: Ground, tmp_path: Path) -> None:
    async with soaked(own_ground, tmp_path) as (estate, watcher):
        # what is done for the first time leaves something: code that is loaded, connections, labels of metrics
        await estate.build(50)
        await estate.edit(80)
        empty = await emptied(estate, watcher)

        await estate.build()
        await until(estate.judged, within=WITHIN, what="everything is judged", poll=1.0)
        rounds: list[Looks] = []
        for _ in range(ROUNDS):
            await estate.edit(EDITS)
            await estate.restore()
            await until(estate.judged, within=WITHIN, what="everything is judged", poll=1.0)
            rounds.append(await watcher.rests(rounds[0] if rounds else None))

        later = rounds[ROUNDS // 3 :]
        assert slope([each.insight.blocks for each in later]) < BLOCKS_PER_EDIT * EDITS, later
        assert slope([each.insight.rss_bytes for each in later]) < BYTES_PER_EDIT * EDITS, later
        assert "EtcdObserver._keep_asking" not in (await emptied(estate, watcher, empty)).insight.tasks


async def emptied(estate: Estate, watcher: "Watcher", before: "Looks | None" = None) -> "Looks":
    """Delete everything; return what the operator looks like then, which is to be no more than it was ``before``."""
    await estate.demolish()
    await until(estate.gone, within=WITHIN, what="all is gone", poll=1.0)
    return await watcher.rests(before)


@asynccontextmanager
async def soaked(ground: Ground, folder: Path) -> AsyncIterator[tuple[Estate, "Watcher"]]:
    told_in, outside = folder / "insight.json", IsekMesh.model_validate(mesh("outside"))
    run = Run(ground, "soak", everywhere=True, **{TOLD_IN: str(told_in)})
    async with SecureEtcd(outside) as etcd, run.running():
        run.proxy.schedule = Interrupted()
        yield Estate(run.kube, etcd, RESOURCES), Watcher(run, told_in)
        assert not run.lives, "it was started again"


@dataclass(frozen=True, repr=False)
class Looks:
    """What an operator that has nothing to do looks like."""

    insight: Insight
    series: frozenset[str]
    """Of its metrics, each by its name and labels."""

    def __repr__(self) -> str:
        entries, tasks = (sum(counts.values()) for counts in (self.insight.tables, self.insight.tasks))
        memory = f"{self.insight.rss_bytes / 2**20:.1f} MiB, {self.insight.blocks} blocks"
        return f"{memory}, {entries} entries, {tasks} tasks, {len(self.series)} series"

    def growth(self, before: "Looks") -> dict[str, str]:
        """Return what there is more of than before."""
        pairs = {
            "entries": (before.insight.tables, self.insight.tables),
            "objects": (before.insight.objects, self.insight.objects),
            "tasks": (before.insight.tasks, self.insight.tasks),
            "": ({"files": before.insight.files}, {"files": self.insight.files}),
        }
        grown = {
            f"{what} {name}".strip(): f"{old.get(name, 0)} -> {count}"
            for what, (old, new) in pairs.items()
            for name, count in new.items()
            if count > max(old.get(name, 0) + FEW, BOUNDED.get(name, 0))
        }
        named = {each for each in self.series - before.series if "'namespace'" in each}
        others = self.series - before.series - named  # a call that was refused for the first time, and the like
        return grown | {f"series {each}": "new" for each in (named or (others if len(others) > EDITS // 2 else ()))}


class Watcher:
    """Looks at an operator from outside and inside."""

    def __init__(self, run: Run, told_in: Path) -> None:
        self._run, self._told_in = run, told_in

    async def rests(self, before: Looks | None = None) -> Looks:
        """Wait until it has nothing left to do and holds no more than before; without, no more than a look ago."""
        last: Looks | None = None

        async def at_rest() -> Looks | None:
            nonlocal last
            then, last = last, await self._look()
            due = {name: last.insight.tables[name] for name in AT_REST if last.insight.tables[name]}
            assert not due, due
            reference = before or then
            assert reference is not None, "it was looked at once only"
            grown = last.growth(reference)
            assert not grown, grown
            return last

        looks = await until(at_rest, within=WITHIN, what="it rests, and holds no more than before", poll=2.0)
        print(looks)  # noqa: T201
        return looks

    async def _look(self) -> Looks:
        url = f"http://127.0.0.1:{self._run.operator.metrics_port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            families = list(text_string_to_metric_families(await answer.text()))
        samples = [sample for family in families for sample in family.samples]
        insight = await look_into(self._run.operator.process, self._told_in)
        return Looks(insight, frozenset(f"{sample.name} {sorted(sample.labels.items())}" for sample in samples))


def slope(values: list[int]) -> float:
    """Growth from one value to the next, by least squares."""
    return statistics.linear_regression(range(len(values)), values).slope
