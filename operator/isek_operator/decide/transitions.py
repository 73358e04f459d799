"""Which changes of a resource's conditions are worth an event."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from isek_operator.decide.outcome import Manifest
from isek_operator.decide.reasons import Reason

PLANNED = frozenset({Reason.ROLLING_OUT, Reason.MEMBER_JOINING, Reason.MEMBER_LEAVING})
"""Why something is not ready for a while because somebody wished for a change."""


@dataclass(frozen=True)
class News:
    """An event before it has an object and a time."""

    type: Literal["Normal", "Warning"]
    reason: str
    note: str


def transitions(before: Sequence[Manifest], after: Sequence[Manifest]) -> tuple[News, ...]:
    """What is to be told of the way from some conditions to others (as they stand in a status).

    A fact that several conditions tell is told once.
    """
    old = {each["type"]: each for each in before}
    new = {each["type"]: each for each in after}
    told = (*_stalled(old, new), *_etcd_available(old, new), *_ready(old, new))
    return tuple({(news.reason, news.note): news for news in reversed(told)}.values())[::-1]


def _stalled(old: dict[str, Manifest], new: dict[str, Manifest]) -> Iterator[News]:
    if "Stalled" in new and _differ(old.get("Stalled"), new["Stalled"]):
        yield _news("Warning", new["Stalled"])


def _etcd_available(old: dict[str, Manifest], new: dict[str, Manifest]) -> Iterator[News]:
    """Each step of an etcd is told, its first start only by its end."""
    before, after = old.get("EtcdAvailable"), new.get("EtcdAvailable")
    if after is None or not _differ(before, after):
        return
    if after["status"] == "True":
        yield _news("Normal", after)
    elif before is not None:
        yield _news("Warning", after)


def _ready(old: dict[str, Manifest], new: dict[str, Manifest]) -> Iterator[News]:
    before, after = old.get("Ready", {}).get("status", "False"), new.get("Ready")
    if after is None or before == after["status"]:
        return
    expected = after["status"] == "True" or after["reason"] in PLANNED
    yield _news("Normal" if expected else "Warning", after)


def _differ(before: Manifest | None, after: Manifest) -> bool:
    return before is None or any(before[field] != after[field] for field in ("status", "reason"))


def _news(type_: Literal["Normal", "Warning"], condition: Manifest) -> News:
    return News(type_, condition["reason"], condition["message"])
