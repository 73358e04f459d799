"""The line of those who wait for their turn."""

from isek_operator.decide.outcome import Upgrade
from isek_operator.keys import Key
from isek_operator.metrics import Metrics
from isek_operator.store import Store
from isek_operator.turns import Turns

KEYS = [Key("IsekAgent", "newsroom", f"agent-{number}") for number in range(4)]


class Line:
    """Resources of which two may begin at a time."""

    def __init__(self) -> None:
        self.store, self.metrics, self.called = Store(), Metrics(), list[Key]()
        self.turns = Turns(self.store, self.called.append, self.metrics, revision="next", most=2)

    def run(self, key: Key, upgrade: Upgrade) -> None:
        with self.turns.during(key), self.turns.taking(key, upgrade):
            pass

    @property
    def outdated(self) -> float:
        return self.metrics.registry.get_sample_value("isek_operator_workloads_outdated") or 0


def test_while_all_places_are_taken_nobody_is_called() -> None:
    line = Line()

    with line.store.beginning_upgrade(KEYS[0], "next"), line.store.beginning_upgrade(KEYS[1], "next"):
        line.run(KEYS[2], Upgrade.WAITS)
        line.run(KEYS[3], Upgrade.WAITS)

    assert line.called == []
    assert line.outdated == 2


def test_as_many_are_called_as_places_are_free_and_those_first_who_came_first() -> None:
    line = Line()
    with line.store.beginning_upgrade(KEYS[0], "next"):
        with line.store.beginning_upgrade(Key("IsekNode", "newsroom", "shared"), "next"):
            for key in KEYS[1:]:
                line.run(key, Upgrade.WAITS)

        line.run(Key("IsekNode", "newsroom", "shared"), Upgrade.NONE)
        line.run(Key("IsekNode", "newsroom", "shared"), Upgrade.NONE)

    assert line.called == [KEYS[1]]
    assert line.outdated == 3


def test_one_that_was_called_and_does_not_need_its_turn_any_more_gives_it_to_the_next() -> None:
    line = Line()
    with line.store.beginning_upgrade(KEYS[0], "next"):
        with line.store.beginning_upgrade(Key("IsekNode", "newsroom", "shared"), "next"):
            for key in KEYS[1:]:
                line.run(key, Upgrade.WAITS)
        line.run(KEYS[0], Upgrade.NONE)

        line.run(KEYS[1], Upgrade.NONE)

    assert line.called == [KEYS[1], KEYS[2]]
    assert line.outdated == 2
