"""Whatever happens, in whatever order: what was acknowledged stays, and the last wish comes true."""

from collections.abc import Callable, Iterator
from copy import deepcopy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.decide.etcd.simulated_cluster import LARGEST, World

Event = tuple[str, int]

SIZES = (1, 3, 5)
EVENTS: dict[str, Callable[[World, int], object]] = {
    "operate": lambda world, _: world.operate(),
    "operate again": lambda world, _: world.operate(),
    "the operator is killed": lambda world, chance: world.operate(until=chance % 3),
    "a step is late": lambda world, _: world.operate(effect="late"),
    "a step is lost": lambda world, _: world.operate(effect="never"),
    "what was late arrives": lambda world, _: world.arrive(),
    "the watch catches up": lambda world, _: world.watch(),
    "the watch catches up again": lambda world, _: world.watch(),
    "the controller works": lambda world, _: world.controller(),
    "a kubelet works": lambda world, chance: world.kubelet(chance % LARGEST),
    "all kubelets work": lambda world, _: world.kubelets(),
    "a client writes": lambda world, chance: world.write(lambda id_: bool((chance >> id_ % 7) & 1)),
    "members catch up": lambda world, _: world.replicate(),
    "a member crashes": lambda world, chance: world.crash(chance % LARGEST),
    "a pod is deleted": lambda world, chance: world.end_pod(chance % LARGEST),
    "a volume vanishes": lambda world, chance: world.lose_volume(chance % LARGEST),
    "a machine is cut off": lambda world, chance: world.cut_off.add(chance % LARGEST),
    "a machine is back": lambda world, chance: world.cut_off.discard(chance % LARGEST),
    "another size is wished for": lambda world, chance: setattr(world, "wanted", SIZES[chance % 3]),
    "another image is wished for": lambda world, chance: setattr(world, "template", world.template + 1),
}

events = st.lists(st.tuples(st.sampled_from(sorted(EVENTS)), st.integers(0, 127)), max_size=120)
beginnings = st.sampled_from(SIZES)


def play(beginning: int, happening: list[Event]) -> World:
    world = World(wanted=beginning)
    world.settle()
    world.write()
    for name, chance in happening:
        EVENTS[name](world, chance)
    return world


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(beginning=beginnings, happening=events)
def test_whatever_happens_the_last_wish_comes_true_and_no_write_is_lost(beginning: int, happening: list[Event]) -> None:
    world = play(beginning, happening)
    world.settle()
    assert world.excused or (world.cluster is not None and world.cluster.token == "uid-1")


def test_two_of_five_members_that_lose_their_volumes_at_once_are_both_replaced() -> None:
    world = World(wanted=5)
    world.settle()
    world.write()
    for ordinal in (1, 3):
        world.lose_volume(ordinal)

    world.settle()

    assert not world.excused
    assert world.cluster is not None
    assert world.cluster.token == "uid-1"


FAULTS: dict[str, Callable[[World, int], object]] = {
    "its process crashes": World.crash,
    "its pod is deleted": World.end_pod,
    "its volume vanishes": World.lose_volume,
}


def moments(*sizes: int) -> Iterator[World]:
    """The world after each round on the way through these sizes, without faults."""
    world = World(wanted=sizes[0])
    for size in sizes:
        world.wanted = size
        while not world.settled:
            world.round()
            yield deepcopy(world)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_moment_of_growing_and_shrinking_is_survived(fault: str) -> None:
    """The kubelet is faster than the operator: a member whose data is gone must not start before anybody noticed."""
    for moment in moments(1, 3, 5, 3, 1):
        for ordinal in range(LARGEST):
            world = deepcopy(moment)
            FAULTS[fault](world, ordinal)
            world.controller()
            for _ in range(3):
                world.kubelet(ordinal)
            world.settle()
