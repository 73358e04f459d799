"""Whatever fails between the operator and the API server, the end state is that of a run in which nothing fails.

``ISEK_FAULTS`` says which schedules are tried: none set, a few; ``all``; or by name, such as ``change:lost-17``.
"""

import asyncio

import pytest

from tests.faults.choice import ALL, BY_NAME, named
from tests.faults.end_state import State
from tests.faults.run import Ground, run_with_faults, run_without_faults
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.schedules import every_schedule, never_comes, schedule, some_schedules

AT_ONCE = 4
pytestmark = pytest.mark.timeout(300)


def chosen(scenario: Scenario) -> list[str]:
    if ALL:
        return every_schedule(scenario.writes)
    if BY_NAME:
        return named(scenario.name)
    return some_schedules(scenario.writes, scenario.name)


BATCHES = [
    pytest.param(scenario, names[first : first + AT_ONCE], id=f"{scenario}:{','.join(names[first : first + AT_ONCE])}")
    for scenario in SCENARIOS
    for names in [chosen(scenario)]
    for first in range(0, len(names), AT_ONCE)
]
WITHOUT: dict[str, tuple[State, int]] = {}
"""By scenario: the end state and the writes of the run without faults."""


async def without_faults(ground: Ground, scenario: Scenario) -> tuple[State, int]:
    if scenario.name not in WITHOUT:
        WITHOUT[scenario.name] = await run_without_faults(ground, scenario)
    return WITHOUT[scenario.name]


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if chosen(each)], ids=str)
async def test_without_faults_everything_ends_as_it_should(ground: Ground, scenario: Scenario) -> None:
    state, writes = await without_faults(ground, scenario)

    assert {name for name in state if true_condition(state[name], "Ready")} == set(scenario.ready)
    assert {name for name in state if true_condition(state[name], "Stalled")} == set(scenario.stalled)
    assert bool(scenario.ready) == any(name.startswith("Deployment ") for name in state)
    assert writes <= scenario.writes, "no kill would be tried at the last ones"


@pytest.mark.parametrize(("scenario", "names"), BATCHES)
async def test_faults_change_nothing_of_the_end_state(ground: Ground, scenario: Scenario, names: list[str]) -> None:
    wanted, writes = await without_faults(ground, scenario)
    names = [name for name in names if not never_comes(name, writes)]
    runs = (run_with_faults(ground, scenario, schedule(name), wanted) for name in names)
    results = await asyncio.gather(*runs, return_exceptions=True)

    failed = {name: result for name, result in zip(names, results, strict=True) if result is not None}
    told = [f"=== {scenario}:{name}\n{result}" for name, result in failed.items()]
    again = ",".join(f"{scenario}:{name}" for name in failed)
    assert not failed, "\n".join([*told, f"=== again: ISEK_FAULTS={again} make faults"])


def true_condition(found: State, kind: str) -> bool:
    conditions = found.get("status", {}).get("conditions") or ()
    return found["apiVersion"].startswith("isek.io/") and any(
        (each["type"], each["status"]) == (kind, "True") for each in conditions
    )
