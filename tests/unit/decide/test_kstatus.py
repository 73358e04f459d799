import pytest

from tests.support.kstatus import kstatus
from tests.unit.decide.situations import Situation, situations

SITUATIONS = situations()


@pytest.mark.parametrize("situation", SITUATIONS, ids=str)
def test_kstatus_knows_how_a_resource_stands(situation: Situation) -> None:
    assert kstatus(situation.resource) == situation.kstatus


@pytest.mark.parametrize("situation", SITUATIONS, ids=str)
def test_a_changed_resource_is_in_progress_until_it_has_been_looked_at(situation: Situation) -> None:
    changed = {**situation.resource, "metadata": {**situation.resource["metadata"], "generation": 2}}

    assert kstatus(changed) == "InProgress"


@pytest.mark.parametrize("situation", SITUATIONS, ids=str)
def test_a_resource_that_is_being_deleted_is_terminating(situation: Situation) -> None:
    gone = {"deletionTimestamp": "2026-01-01T00:00:00Z"}

    assert kstatus({**situation.resource, "metadata": situation.resource["metadata"] | gone}) == "Terminating"
    assert kstatus(None) == "NotFound"
