import pytest
from isek.node.effort import Effort


def test_the_first_run_counts_whole_and_the_latest_most() -> None:
    effort = Effort()
    assert (effort.seconds, effort.tokens) == (0, 0)

    effort.add(4, 100)
    assert (effort.seconds, effort.tokens) == (4, 100)

    for _ in range(50):
        effort.add(1, 10)
    assert effort.seconds == pytest.approx(1, abs=0.01)
    assert effort.tokens == pytest.approx(10, abs=0.1)
