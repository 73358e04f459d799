from datetime import UTC, datetime
from typing import Any

import pytest
from isek_operator.decide.written_at import written_at

CREATED = "2026-05-01T12:00:00Z"


@pytest.mark.parametrize(
    ("annotations", "hour"),
    [
        ({"since": "2026-05-01T14:00:00+00:00"}, 14),
        ({"since": "2026-05-01T14:00:00"}, 14),
        ({"since": "2026-05-01T14:00:00+02:00"}, 12),
        ({"other": "2026-05-01T14:00:00Z"}, 12),
        (None, 12),
    ],
)
def test_the_annotation_says_it_or_else_the_creation(annotations: dict[str, str] | None, hour: int) -> None:
    manifest: dict[str, Any] = {"metadata": {"annotations": annotations, "creationTimestamp": CREATED}}

    assert written_at(manifest, "since") == datetime(2026, 5, 1, hour, tzinfo=UTC)


@pytest.mark.parametrize("metadata", [{}, {"annotations": {"since": "yesterday"}}])
def test_nobody_knows_where_nothing_says_it(metadata: dict[str, Any]) -> None:
    assert written_at({"metadata": metadata}, "since") is None


def test_what_says_no_time_says_nothing() -> None:
    metadata = {"annotations": {"since": "yesterday"}, "creationTimestamp": CREATED}

    assert written_at({"metadata": metadata}, "since") == datetime.fromisoformat(CREATED)
