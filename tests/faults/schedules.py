"""What fails when. A schedule is known by its name, so that a failing one can be run again.

===================  ===================================================================================
``unsent-K``         the operator is killed before its K-th write is sent on
``lost-K``           the operator is killed when its K-th write has taken effect and is not answered yet
``relentless-N``     the operator is killed after each of its first N writes
``STATUS-K``         the K-th write is answered with 409, 410, 429, 500 or 503 instead of being sent on
``late-STATUS-K``    the K-th write is answered so though it has taken effect
``cut-K``            the connection breaks before the K-th write is sent on
``late-cut-K``       the connection breaks in the middle of the answer to the K-th write
``calls-SEED``       calls of all sorts fail at random, reads and the beginnings of watches too
``watches-SEED``     events are dropped (410 follows), late, told twice; watches end; lists expire between pages
``storm-SEED``       all of the above, kills included
===================  ===================================================================================
"""

import random
from dataclasses import dataclass, field

from tests.support.fault_proxy import PASSED_ON, Answer, Call, Cut, Delivery, Fault, Kill, NoFaults, Schedule

STATUSES = (409, 410, 429, 500, 503)
MOST_FAULTS = 12
"""Of one random schedule. Each failure of one resource doubles its back-off."""


@dataclass
class AtWrites(NoFaults):
    """One fault at some writes."""

    first: int
    last: int
    what: Fault

    def fault(self, call: Call) -> Fault | None:
        return self.what if self.first <= call.write <= self.last else None


@dataclass
class AtRandom(NoFaults):
    """Faults of calls and of watch events at random, a limited number of them."""

    seed: int
    calls: bool = False
    watches: bool = False
    kills: bool = False
    left: int = MOST_FAULTS
    page: int | None = None
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311  (no secret)
        if self.watches:
            self.page = 2

    def fault(self, call: Call) -> Fault | None:
        likely = 0.5 if call.continued and self.watches else 0.15 if self.calls else 0.0
        if not self._now(likely):
            return None
        if call.continued and self.watches:
            return Answer(410)
        if call.verb == "watch":
            beginnings: list[Fault] = [Cut(), *(Answer(status) for status in STATUSES)]
            return self.chance.choice(beginnings)
        late = self.chance.random() < 0.5
        if self.kills and self.chance.random() < 0.3:
            return Kill(late)
        failures: list[Fault] = [Cut(late), *(Answer(status, late, _patience(status)) for status in STATUSES)]
        return self.chance.choice(failures)

    def delivery(self, call: Call, event: str, path: str) -> Delivery:
        if not self.watches or not self._now(0.15):
            return PASSED_ON
        return self.chance.choice(
            [
                Delivery(copies=0, then="gone"),
                Delivery(copies=0, then="gone", delay=0.5),
                Delivery(copies=2),
                Delivery(copies=3, delay=0.3),
                Delivery(delay=2.0),
                Delivery(then="gone"),
                Delivery(then="cut"),
                Delivery(then="end"),
            ]
        )

    def _now(self, probability: float) -> bool:
        if self.left == 0 or self.chance.random() >= probability:
            return False
        self.left -= 1
        return True


def schedule(name: str) -> Schedule:
    """Make the schedule of that name."""
    *words, number = name.split("-")
    n = int(number) if number.isdecimal() else 0
    late = words[:1] == ["late"]
    match words[late:] if n else []:
        case ["unsent"]:
            return AtWrites(n, n, Kill())
        case ["lost"]:
            return AtWrites(n, n, Kill(late=True))
        case ["relentless"]:
            return AtWrites(1, n, Kill(late=True))
        case ["cut"]:
            return AtWrites(n, n, Cut(late))
        case ["calls"]:
            return AtRandom(n, calls=True)
        case ["watches"]:
            return AtRandom(n, watches=True, left=2 * MOST_FAULTS)
        case ["storm"]:
            return AtRandom(n, calls=True, watches=True, kills=True, left=2 * MOST_FAULTS)
        case [status] if status in map(str, STATUSES):
            return AtWrites(n, n, Answer(int(status), late, _patience(int(status))))
        case _:
            raise ValueError(f"there is no schedule {name!r}")


def every_schedule(writes: int) -> list[str]:
    """Names of schedules for a scenario of up to that many writes: every kill, each further fault at some writes."""
    ways = [f"{late}{what}" for what in (*STATUSES, "cut") for late in ("", "late-")]
    numbers = range(1, writes + 1)
    return [
        *(f"{kill}-{k}" for k in numbers for kill in ("unsent", "lost")),
        *(f"{ways[k // 2 % len(ways)]}-{k}" for k in numbers[::2]),
        *(f"{sort}-{seed}" for seed in range(1, 5) for sort in ("calls", "watches", "storm")),
        "relentless-10",
    ]


def some_schedules(writes: int, seed: str) -> list[str]:
    """A few of them, always the same ones."""
    chance = random.Random(seed)  # noqa: S311  (no secret)
    kills, k = chance.sample(range(1, writes * 2 // 3), 2), chance.randint(1, writes // 3)
    return [
        f"unsent-{kills[0]}",
        f"lost-{kills[1]}",
        f"late-{chance.choice(STATUSES)}-{k}",
        f"storm-{chance.randint(1, 99)}",
    ]


def never_comes(name: str, writes: int) -> bool:
    """Whether the scenario, of so many writes, is over before."""
    sort, _, number = name.rpartition("-")
    return sort not in {"calls", "watches", "storm", "relentless"} and int(number) > writes


def _patience(status: int) -> int | None:
    return 1 if status == 429 else None
