"""Which runs ``ISEK_FAULTS`` asks for: none set, a few; ``all``; or as ``scenario:schedule``, ``change:lost-17``."""

import os
from collections.abc import Collection

from tests.faults.schedules import schedule

CHOICE = os.environ.get("ISEK_FAULTS", "")
ALL = CHOICE == "all"
BY_NAME = bool(CHOICE) and not ALL


def named(scenario: str) -> list[str]:
    """Names of the schedules that are asked for by name, of this scenario."""
    return [name for of, _, name in (each.partition(":") for each in CHOICE.split(",")) if of == scenario]


def misspelt(choice: str, scenarios: Collection[str]) -> str:
    """What is wrong with a choice by name, and what would be right; empty: nothing."""
    for each in choice.split(","):
        scenario, _, name = each.partition(":")
        if scenario not in scenarios:
            return f"ISEK_FAULTS: there is no scenario {scenario!r}; there are {', '.join(scenarios)}"
        try:
            schedule(name)
        except ValueError as error:
            return f"ISEK_FAULTS: {error}; {each!r} has to be scenario:schedule, such as {scenario}:lost-17"
    return ""
