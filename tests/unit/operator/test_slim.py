"""What is kept of objects: what they have in common once."""

from typing import Any

import pytest
from isek_operator.slim import LARGEST_PART, MOST_PARTS, slim

Manifest = dict[str, Any]
PROBE = {"httpGet": {"path": "/healthz", "port": "http"}}


def deployment(name: str, **spec: Any) -> Manifest:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def test_parts_that_are_equal_are_kept_once() -> None:
    first, second = (slim(deployment(name, probe={**PROBE})) for name in ("a", "b"))

    assert first["spec"]["probe"] is second["spec"]["probe"]
    assert (first["metadata"]["name"], second["metadata"]["name"]) == ("a", "b")


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), (0, None), (1, "1")])
def test_values_that_only_look_equal_stay_apart(one: Any, other: Any) -> None:
    first, second = slim(deployment("a", x=[one])), slim(deployment("a", x=[other]))

    assert (first["spec"]["x"][0], second["spec"]["x"][0]) == (one, other)
    assert type(second["spec"]["x"][0]) is type(other)


def test_what_is_given_is_never_changed() -> None:
    given = deployment("a", probe={**PROBE})
    slim(given)

    assert given == deployment("a", probe=PROBE)


def test_objects_stay_as_they_are_when_there_are_more_parts_than_are_remembered() -> None:
    many = [slim(deployment(f"{number}", large="x" * LARGEST_PART)) for number in range(MOST_PARTS)]

    assert [each["metadata"]["name"] for each in many] == [f"{number}" for number in range(MOST_PARTS)]
    assert many[0]["spec"] == {"large": "x" * LARGEST_PART}
