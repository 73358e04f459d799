import re

import pytest
from isek.protocol.traceparent import child_of

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_call_gets_a_span_of_its_own_in_the_same_trace() -> None:
    child = child_of(PARENT)

    assert re.fullmatch(r"00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01", child)
    assert child != PARENT


@pytest.mark.parametrize(
    "broken",
    [None, "", "nonsense", PARENT.upper(), PARENT + "-more", "00-" + "0" * 32 + "-00f067aa0ba902b7-01"],
)
def test_without_a_valid_parent_a_new_trace_begins(broken: str | None) -> None:
    one, other = child_of(broken), child_of(broken)

    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", one)
    assert one.split("-")[1] != other.split("-")[1]
