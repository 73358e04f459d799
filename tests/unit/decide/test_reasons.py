import re
from pathlib import Path

import isek_operator
import pytest
from isek.api import KINDS
from isek_operator.conditions_reference import page
from isek_operator.decide.reasons import Reason

from tests.unit.decide.situations import situations

(SOURCE,) = (Path(folder) for folder in isek_operator.__path__)


def test_every_reason_is_given_by_some_code() -> None:
    files = (path for path in SOURCE.rglob("*.py") if path.name != "reasons.py")
    given = {name for path in files for name in re.findall(r"\bReason\.([A-Z_]+)\b", path.read_text())}

    assert given == set(Reason.__members__)


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_one_word_and_says_what_it_means_and_what_to_do(reason: Reason) -> None:
    assert re.fullmatch(r"([A-Z][a-z0-9]+)+", reason)
    assert reason.name == re.sub(r"(?<!^)(?=[A-Z])", "_", reason).upper()
    assert reason.meaning.endswith(".")
    assert reason.cure.endswith(".")
    assert set(reason.kinds) <= set(KINDS)
    assert reason.kinds


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason.conditions])
def test_a_reason_comes_with_the_kinds_and_conditions_that_it_names_and_no_others(reason: Reason) -> None:
    shown = [
        (each.kind, condition["type"])
        for each in situations()
        for condition in each.conditions
        if condition["reason"] == reason
    ]

    assert {kind for kind, _ in shown} == set(reason.kinds)
    assert {condition for _, condition in shown} == set(reason.conditions)


@pytest.mark.parametrize("reason", Reason)
def test_the_reference_lists_every_reason(reason: Reason) -> None:
    (row,) = [line for line in page().splitlines() if line.startswith(f"| `{reason}` |")]

    assert reason.meaning in row
    assert reason.cure in row


@pytest.mark.parametrize("reason", [reason for reason in Reason if not reason.conditions])
def test_the_reference_says_when_an_event_comes_that_no_condition_tells(reason: Reason) -> None:
    events = page().partition("## Events")[2].partition("## Reasons")[0]

    assert f"| `{reason}` |" in events
