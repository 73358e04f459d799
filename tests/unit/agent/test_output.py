"""The form that answers are asked for in, and what is read from them."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytest
from isek import IsekAgent
from isek.agent.output import Output
from pydantic import BaseModel

from tests.support.recording_model import RecordingModel

T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    item: T


@dataclass
class Point:
    x: int


def test_a_text_needs_no_form() -> None:
    model = RecordingModel("hello")

    assert IsekAgent(model=model, output_type=str).run("?").answer() == "hello"
    assert model.output is None
    assert len(model.conversations) == 1


def test_the_name_of_a_form_has_only_what_providers_take() -> None:
    assert Output(Box[int]).schema.name == "Box_int_"


@pytest.mark.parametrize(
    ("type_", "answer", "read"),
    [
        (list[Point], '[{"x": 1}]', [Point(1)]),
        (int, "4", 4),
        (Point | Box[str], '{"item": "a"}', Box[str](item="a")),
    ],
)
def test_what_is_no_object_is_asked_for_within_one_and_read_with_or_without_it(
    type_: Any, answer: str, read: Any
) -> None:
    output = Output(type_)

    assert output.schema.schema["type"] == "object"
    assert output.read(f'{{"response": {answer}}}') == read
    assert output.read(answer) == read


def test_what_a_form_refers_to_is_found_at_its_root() -> None:
    schema = Output(list[Point]).schema.schema

    assert schema["properties"]["response"]["items"] == {"$ref": "#/$defs/Point"}
    assert "Point" in schema["$defs"]


def test_an_object_is_asked_for_as_it_is() -> None:
    assert list(Output(Point).schema.schema["properties"]) == ["x"]
