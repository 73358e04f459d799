"""What tests of all kinds share."""

from collections.abc import Iterator

import pytest

from tests.support.log_lines import LogLines, log_lines


@pytest.fixture
def log() -> Iterator[LogLines]:
    """What Isek logs during the test."""
    with log_lines() as lines:
        yield lines
