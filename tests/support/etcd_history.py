"""Judges what clients of an etcd saw: nothing acknowledged is lost, and all happened in one order that fits the clock.

etcd tells at which revision each operation took place, so the order that it claims is checked, not searched for
(etcd API guarantees, https://etcd.io/docs/v3.6/learning/api_guarantees/: strict serializability, watches that are
ordered, unique, reliable and resumable).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

Line = Mapping[str, Any]
"""What ``tests.support.etcd_workload`` prints; ``op`` is one of

- ``write``: a unique ``value`` to ``key`` in the place of what was written there at revision ``expected`` (0: nothing).
  ``outcome``: ``done`` at ``revision``; ``refused``, since something else was found; ``unknown``, for want of an answer
- ``read``: ``key`` held ``found``, written at ``found_revision``, when the history was at ``revision``
- ``event``: a ``watcher`` was told that ``key`` has a ``value`` (None: none) since ``revision``
- ``start``, ``end``: between these; ``end`` with all ``items``: key, value and its revision. Nodes that others have
  ``registered``: for each key the revision at which it was made, and how often it was written since

``start`` and ``end`` of a write or read: seconds, of one clock."""


@dataclass
class Verdict:
    """What the history amounts to."""

    violations: list[str] = field(default_factory=list)
    acknowledged: int = 0
    """Writes that were done."""
    refused: int = 0
    unknown: int = 0
    """Writes that were not answered."""
    took_place: int = 0
    """Those of them that were done, as was seen later."""
    reads: int = 0
    events: int = 0
    """Told to all watchers together."""

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} writes acknowledged, {self.refused} refused, {self.unknown} unanswered"
            f" ({self.took_place} of them done), {self.reads} reads, {self.events} events"
        )


def judge(history: Iterable[Line]) -> Verdict:
    """Check a history that has ended."""
    lines = list(history)
    ends = [line for line in lines if line["op"] == "end"]
    if len(ends) != 1:
        return Verdict(["the history has no end"])
    # what was sent and never answered may be done after the end, unseen by some
    lines = [line for line in lines if line["op"] != "event" or line["revision"] <= ends[0]["revision"]]
    by_op = {op: [line for line in lines if line["op"] == op] for op in ("write", "read", "event")}
    writes, reads = by_op["write"], by_op["read"] + [line for line in by_op["write"] if line["outcome"] == "refused"]
    truth = {line["revision"]: (line["key"], line["value"]) for line in by_op["event"]}
    done = [line for line in writes if line["outcome"] == "done"]
    open_ = [line for line in writes if line["outcome"] == "unknown"]
    revisions = {value: revision for revision, (_, value) in truth.items() if value is not None}
    verdict = Verdict(
        acknowledged=len(done),
        refused=sum(line["outcome"] == "refused" for line in writes),
        unknown=len(open_),
        took_place=sum(line["value"] in revisions for line in open_),
        reads=sum(line["outcome"] == "done" for line in by_op["read"]),
        events=len(by_op["event"]),
    )
    reads = [line for line in reads if line["outcome"] != "unknown"]
    took_place = [{**line, "revision": revisions[line["value"]]} for line in open_ if line["value"] in revisions]
    versions = _Versions(truth)
    verdict.violations += [
        *_watches(by_op["event"], truth),
        *_acknowledged(done, truth),
        *_origins(truth, {(line["key"], line["value"]) for line in (*done, *open_)}),
        *_in_place_of([*done, *took_place], versions),
        *_seen(reads, versions),
        *_in_time([*done, *took_place], reads),
        *_ends(ends[0], versions),
        *_registrations([line for line in lines if line["op"] == "start"], ends[0]),
    ]
    return verdict


def longest_gap(history: Iterable[Line], since: float, until: float) -> float:
    """For how long at most nobody's write was acknowledged, in seconds, within that time."""
    ends: list[float] = sorted(line["end"] for line in history if line["op"] == "write" and line["outcome"] == "done")
    moments = [since, *(end for end in ends if since < end < until), until]
    return max(after - before for before, after in pairwise(moments))


class _Versions:
    """Each key through its revisions."""

    def __init__(self, truth: Mapping[int, tuple[str, str | None]]) -> None:
        self._of: dict[str, list[tuple[int, str | None]]] = {}
        for revision, (key, value) in sorted(truth.items()):
            self._of.setdefault(key, []).append((revision, value))

    def at(self, key: str, revision: int) -> tuple[int, str | None]:
        """The revision and value that a key had then; 0 and None: none."""
        versions = self._of.get(key, [])
        place = bisect_right(versions, revision, key=lambda version: version[0])
        found = versions[place - 1] if place else (0, None)
        return found if found[1] is not None else (0, None)

    def latest(self) -> dict[str, list[Any]]:
        last = {key: versions[-1] for key, versions in self._of.items()}
        return {key: [value, revision] for key, (revision, value) in last.items() if value is not None}


def _watches(events: list[Line], truth: Mapping[int, tuple[str, str | None]]) -> Iterator[str]:
    told: dict[int, list[int]] = {}
    for event in events:
        watcher = told.setdefault(event["watcher"], [])
        if watcher and event["revision"] <= watcher[-1]:
            yield f"watcher {event['watcher']} was told revision {event['revision']} after {watcher[-1]}"
        if truth[event["revision"]] != (event["key"], event["value"]):
            yield f"watchers were told different things of revision {event['revision']}"
        watcher.append(event["revision"])
    for number, revisions in told.items():
        if missed := sorted(truth.keys() - set(revisions)):
            yield f"watcher {number} was not told revisions {missed[:5]}"


def _acknowledged(done: list[Line], truth: Mapping[int, tuple[str, str | None]]) -> Iterator[str]:
    for line in done:
        if truth.get(line["revision"]) != (line["key"], line["value"]):
            yield f"lost: {line['value']} of {line['key']}, acknowledged at revision {line['revision']}"


def _origins(truth: Mapping[int, tuple[str, str | None]], written: set[tuple[str, str]]) -> Iterator[str]:
    for revision, (key, value) in truth.items():
        if value is None:
            yield f"{key} went away at revision {revision}"
        elif (key, value) not in written:
            yield f"{key} got {value} at revision {revision}, which nobody wrote"


def _in_place_of(writes: list[Line], versions: _Versions) -> Iterator[str]:
    for line in writes:
        before, _ = versions.at(line["key"], line["revision"] - 1)
        if before != line["expected"]:
            yield f"{line['value']} took the place of revision {before} of {line['key']}, not of {line['expected']}"


def _seen(reads: list[Line], versions: _Versions) -> Iterator[str]:
    for line in reads:
        found = line["found_revision"], line["found"]
        if (truth := versions.at(line["key"], line["revision"])) != found:
            yield f"{line['key']} was read as {found} at revision {line['revision']}, and was {truth}"


def _in_time(writes: list[Line], reads: list[Line]) -> Iterator[str]:
    """Whatever begins after something else has ended comes after it in the history."""
    is_write = {id(line) for line in writes}
    starts = sorted([*writes, *reads], key=lambda line: float(line["start"]))
    ends = sorted((line for line in starts if "end" in line), key=lambda line: float(line["end"]))
    newest, place = 0, 0
    for line in starts:
        while place < len(ends) and ends[place]["end"] < line["start"]:
            newest = max(newest, ends[place]["revision"])
            place += 1
        if line["revision"] < newest + (id(line) in is_write):
            yield f"{line['op']} of {line['key']} took place at {line['revision']} and began after {newest} was told"


def _ends(end: Line, versions: _Versions) -> Iterator[str]:
    latest = versions.latest()
    for key in sorted(latest.keys() | end["items"].keys()):
        if (found := end["items"].get(key)) != (truth := latest.get(key)):
            yield f"in the end {key} is {found}, and was last {truth}"


def _registrations(starts: list[Line], end: Line) -> Iterator[str]:
    for line in starts:
        for key, registered in line.get("registered", {}).items():
            if (found := end["registered"].get(key)) != registered:
                yield f"{key} was registered as {registered} and in the end as {found}: it was forgotten meanwhile"
