"""How fast the operator is, beside others that do the same job: ``python -m tests.benchmarks.operators``.

A real API server and one operator at a time, on this machine, with all that runs in a fresh cluster: a burst of new
IsekAgents, a time of rest, a restart. Prints tables; what is under way goes to standard error.
"""

import argparse
import asyncio
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.operator_cluster import Calls, Cluster, cluster
from tests.benchmarks.operator_rivals import Rival, Running, rivals
from tests.integration.operator.resources import agent
from tests.support.waiting import until

BURSTS = (300, 1000)
BURST_SECONDS = 90.0
"""What is not there by then counts as not there."""
AT_A_TIME = 16


@dataclass(frozen=True)
class Restart:
    """What a restart costs with all resources there, and rest before it."""

    writes_at_rest: int
    seconds: float
    writes: int
    resident_mib: float


@dataclass(frozen=True)
class Figures:
    """What was measured of one rival with one number of resources."""

    rival: Rival
    resources: int
    p50: float
    """Seconds from the API server's answer to a new IsekAgent until its Deployment is there."""
    p99: float
    per_second: float
    calls: Calls
    cpu_seconds: float
    made: int
    """Deployments that were there in time; what follows is shared out among them."""
    resident_mib: float
    restart: Restart | None

    @property
    def calls_each(self) -> float:
        return (self.calls.reads + self.calls.writes) / self.made

    @property
    def largest_mib(self) -> float:
        return max(self.resident_mib, self.restart.resident_mib if self.restart else 0.0)


async def measure(rival: Rival, resources: int, *, rest: float) -> Figures:
    """Run one rival in a cluster of its own."""
    with tempfile.TemporaryDirectory() as folder:
        async with cluster() as place, Running(rival, place.user.kubeconfig, Path(folder)) as running:
            await warm_up(place)
            calls, cpu = place.calls(), running.cpu_seconds
            latencies, per_second = await burst(place, resources)
            made = sum(math.isfinite(each) for each in latencies)
            if made == resources:
                await until_quiet(place)
            calls, cpu, resident = place.calls().since(calls), running.cpu_seconds - cpu, running.resident_mib
            again = None
            if resources == max(BURSTS) and made == resources:
                again = await rest_and_restart(place, running, resources, rest=rest)
    p50, p99 = latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]
    return Figures(rival, resources, p50, p99, per_second, calls, cpu, made, resident, again)


async def warm_up(place: Cluster) -> None:
    """Have one agent made, and with it the mesh of all; until the operator watches, nobody sees it."""
    await place.control_plane.kube.create(agent("first"))
    await until(lambda: "first-agent" in place.seen, within=60, what="the first Deployment is there")
    await until_quiet(place)


async def burst(place: Cluster, resources: int) -> tuple[list[float], float]:
    """Create agents; return the sorted latencies, infinite where it took too long, and Deployments a second."""
    applied: dict[str, float] = {}
    at_a_time = asyncio.Semaphore(AT_A_TIME)

    async def create(name: str) -> None:
        async with at_a_time:
            await place.control_plane.kube.create(agent(name))
            applied[f"{name}-agent"] = time.monotonic()

    began = time.monotonic()
    await asyncio.gather(*(create(f"agent-{number}") for number in range(resources)))
    with suppress(AssertionError):
        left = began + BURST_SECONDS - time.monotonic()
        await until(lambda: len(place.seen) > resources, within=left, what="all Deployments are there")
    seen = dict(place.seen)
    latencies = sorted(max(seen[name] - at, 0.0) if name in seen else math.inf for name, at in applied.items())
    return latencies, len(applied.keys() & seen.keys()) / (max(seen.values()) - began)


async def until_quiet(place: Cluster) -> None:
    """Wait until the operator has asked for nothing for a second."""
    before = None
    while before != (now := place.calls()):
        before = now
        await asyncio.sleep(1.0)


async def rest_and_restart(place: Cluster, running: Running, resources: int, *, rest: float) -> Restart:
    before = place.calls()
    await asyncio.sleep(rest)
    at_rest = place.calls().since(before)
    await running.stop()
    before, began = place.calls(), time.monotonic()
    await running.start()
    await running.until_checked(resources, within=BURST_SECONDS)
    seconds = time.monotonic() - began
    await until_quiet(place)
    return Restart(at_rest.writes, seconds, place.calls().since(before).writes, running.resident_mib)


def table(figures: Sequence[Figures], rest: float) -> str:
    """All that was measured."""
    head = (
        "resources",
        "operator",
        "p50 s",
        "p99 s",
        "made/s",
        "API calls each (writes)",
        "CPU ms each",
        "RSS MiB",
        f"writes in {rest:g} s of rest",
        "restart s",
        "writes of it",
        "RSS MiB after it",
    )
    rows = [head, tuple("---" for _ in head)]
    for each in figures:
        again = each.restart
        rows.append(
            (
                str(each.resources),
                each.rival.name,
                seconds(each.p50),
                seconds(each.p99),
                f"{each.per_second:.1f}",
                f"{each.calls_each:.2f} ({each.calls.writes / each.made:.2f})",
                f"{each.cpu_seconds / each.made * 1000:.1f}",
                f"{each.resident_mib:.0f}",
                *(
                    (str(again.writes_at_rest), f"{again.seconds:.1f}", str(again.writes), f"{again.resident_mib:.0f}")
                    if again
                    else ("",) * 4
                ),
            )
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def seconds(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else f"> {BURST_SECONDS:g}"


def marks(figures: Sequence[Figures]) -> str:
    """What is asked of the operator, and how it stands."""
    rows = ["| mark | resources | wanted | measured | met |", "|---|---|---|---|---|"]

    def add(mark: str, resources: int, wanted: str, measured: float, met: bool) -> None:
        rows.append(f"| {mark} | {resources} | {wanted} | {measured:.2f} | {'yes' if met else '**no**'} |")

    for resources in BURSTS:
        ours, _, unlimited, limited = (each for each in figures if each.resources == resources)
        # of an infinite p99 the burst's end is known to be less
        slowest = {each.rival.name: min(each.p99, BURST_SECONDS) for each in (ours, unlimited, limited)}
        for rival, least in ((limited, 1.0), (unlimited, 0.5)):
            name = rival.rival.name
            ratio = slowest[name] / ours.p99
            add(f"p99, times as fast as {name}", resources, f">= {least:g}", ratio, ratio >= least)
            ratio = ours.per_second / rival.per_second
            add(f"resources a second, of {name}", resources, f">= {least:g}", ratio, ratio >= least)
        more = ours.calls_each - unlimited.calls_each
        add("API calls each, more than controller-runtime", resources, "<= 0", more, more <= 0.005)
        if ours.restart:
            add("writes at rest", resources, "0", ours.restart.writes_at_rest, ours.restart.writes_at_rest == 0)
            add("restart, seconds", resources, "<= 3", ours.restart.seconds, ours.restart.seconds <= 3)
            add("restart, writes", resources, "0", ours.restart.writes, ours.restart.writes == 0)
            add("memory, MiB", resources, "<= 150", ours.largest_mib, ours.largest_mib <= 150)
    return "\n".join(rows)


async def main(rest: float, only: str) -> None:
    """Print the tables."""
    figures = []
    for resources in BURSTS:
        for rival in rivals():
            if only not in rival.name:
                continue
            sys.stderr.write(f"  {resources} resources: {rival.name}\n")
            figures.append(await measure(rival, resources, rest=rest))
            sys.stderr.write(table(figures[-1:], rest) + "\n")
    sys.stdout.write(table(figures, rest) + "\n")
    if not only:
        sys.stdout.write("\n" + marks(figures) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rest", type=float, default=20.0, help="seconds of rest")
    parser.add_argument("--only", default="", help="rivals whose name holds this, without the marks")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.rest, arguments.only))
