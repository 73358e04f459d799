"""The judge of etcd histories finds what it is there to find."""

from typing import Any

import pytest

from tests.support.etcd_history import judge, longest_gap

Line = dict[str, Any]


def write(value: str, expected: int, revision: int, at: float, **more: Any) -> Line:
    line = {"op": "write", "client": 0, "key": "k", "value": value, "expected": expected, "start": at, "end": at + 0.5}
    return {**line, "revision": revision, "outcome": "done", **more}


def read(found: str | None, found_revision: int, revision: int, at: float) -> Line:
    line = {"op": "read", "client": 1, "key": "k", "start": at, "end": at + 0.5, "outcome": "done"}
    return {**line, "revision": revision, "found": found, "found_revision": found_revision}


def event(watcher: int, value: str | None, revision: int) -> Line:
    return {"op": "event", "watcher": watcher, "key": "k", "value": value, "revision": revision}


def unanswered(value: str, expected: int, at: float) -> Line:
    return {"op": "write", "client": 2, "key": "k", "value": value, "expected": expected, "start": at} | {
        "outcome": "unknown"
    }


END = {"op": "end", "revision": 4, "items": {"k": ["c", 4]}, "registered": {"n": [1, 1]}, "at": 10.0}


def sound() -> list[Line]:
    """Three writes, the last of which was not answered and took place, and what was read between them."""
    return [
        {"op": "start", "revision": 1, "registered": {"n": [1, 1]}, "at": 0.0},
        read(None, 0, 1, at=0),
        write("a", 0, 2, at=1),
        read("a", 2, 2, at=2),
        write("b", 2, 3, at=3),
        write("late", 2, 3, at=3.1, outcome="refused", found="b", found_revision=3),
        unanswered("c", 3, at=4),
        unanswered("never", 3, at=4),
        read("c", 4, 4, at=9),
        *(event(watcher, value, revision) for watcher in (0, 1) for revision, value in ((2, "a"), (3, "b"), (4, "c"))),
        END,
    ]


def test_a_sound_history_is_found_sound_and_counted() -> None:
    verdict = judge(sound())

    assert verdict.violations == []
    assert str(verdict) == "2 writes acknowledged, 1 refused, 2 unanswered (1 of them done), 3 reads, 6 events"


def without(history: list[Line], **what: Any) -> list[Line]:
    return [line for line in history if not what.items() <= line.items()]


def elsewhere(value: str | None) -> list[Line]:
    return [*without(sound(), op="event", revision=4), event(0, value, 4), event(1, value, 4)]


@pytest.mark.parametrize(
    ("history", "violation"),
    [
        (without(sound(), op="event", revision=3), "lost: b of k"),
        (without(sound(), watcher=1, revision=3), "watcher 1 was not told revisions [3]"),
        ([*sound(), event(0, "a", 2)], "watcher 0 was told revision 2 after 4"),
        ([*without(sound(), watcher=1, revision=3), event(1, "x", 3)], "told different things of revision 3"),
        (elsewhere("z"), "which nobody wrote"),
        (elsewhere(None), "k went away at revision 4"),
        ([*sound(), read("a", 2, 3, at=8)], "k was read as (2, 'a') at revision 3, and was (3, 'b')"),
        ([*sound(), read("a", 2, 2, at=8)], "read of k took place at 2 and began after 3 was told"),
        ([*without(sound(), value="b", op="write"), write("b", 1, 3, at=3)], "took the place of revision 2 of k"),
        ([*without(sound(), value="b", op="write"), write("b", 2, 3, at=20)], "write of k took place at 3 and began"),
        ([*without(sound(), op="end"), {**END, "items": {}}], "in the end k is None"),
        ([*without(sound(), op="end"), {**END, "registered": {"n": [9, 1]}}], "it was forgotten meanwhile"),
        (without(sound(), op="end"), "the history has no end"),
    ],
)
def test_what_must_not_happen_is_found(history: list[Line], violation: str) -> None:
    assert any(violation in found for found in judge(history).violations), judge(history).violations


def test_the_longest_time_without_an_acknowledged_write_is_told() -> None:
    assert longest_gap(sound(), since=1, until=10) == pytest.approx(6.5)
