import functools
import re
import threading
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal
from unittest.mock import Mock

import pytest
from isek import CallContext, FunctionTool, IsekAgent, RiskLevel, ToolError, Toolkit, tool
from isek.tools.signature import read_signature
from pydantic import BaseModel, Field

from tests.support.asking import context
from tests.support.recording_model import RecordingModel


class Unit(Enum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


class Place(BaseModel):
    city: str
    country: str = "DE"


@dataclass
class Span:
    days: int


def google(city: str, unit: Unit = Unit.CELSIUS, days: Annotated[int, Field(ge=1)] = 3) -> str:
    """How the weather will be.

    Warns of storms.

    Args:
        city: where,
            without the country.
        unit: of temperatures.
        days: how far ahead.

    Returns:
        A sentence.
    """
    return f"{city} {unit.value} {days}"


def numpy(city: str, days: int = 3) -> str:
    """How the weather will be.

    Parameters
    ----------
    city : str
        where
    days : int
        how far ahead
    """
    return f"{city} {days}"


def rest(city: str, days: int = 3) -> str:
    """How the weather will be.

    :param city: where
    :param days: how far ahead
    """
    return f"{city} {days}"


def test_the_schema_says_what_hints_and_docstring_say() -> None:
    schema = FunctionTool(google).schema

    assert schema.name == "google"
    assert schema.description == "How the weather will be.\n\nWarns of storms."
    assert schema.parameters == {
        "$defs": {"Unit": {"enum": ["C", "F"], "title": "Unit", "type": "string"}},
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "where, without the country."},
            "unit": {"$ref": "#/$defs/Unit", "default": "C", "description": "of temperatures."},
            "days": {"type": "integer", "minimum": 1, "default": 3, "description": "how far ahead."},
        },
        "required": ["city"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize("function", [numpy, rest])
def test_docstrings_are_read_in_each_usual_style(function: Any) -> None:
    assert FunctionTool(function).schema.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "where"},
            "days": {"type": "integer", "default": 3, "description": "how far ahead"},
        },
        "required": ["city"],
        "additionalProperties": False,
    }


def plan(place: Place, span: Span, pace: Literal["slow", "fast"], extras: list[str] | None = None) -> str:
    """Plan a journey."""
    return f"{place.city}, {place.country}: {span.days} days, {pace}, {extras}"


def test_the_schema_of_objects_within_objects_is_kept() -> None:
    assert FunctionTool(plan).schema.parameters == {
        "$defs": {
            "Place": {
                "type": "object",
                "title": "Place",
                "properties": {"city": {"type": "string"}, "country": {"type": "string", "default": "DE"}},
                "required": ["city"],
            },
            "Span": {
                "type": "object",
                "title": "Span",
                "properties": {"days": {"type": "integer"}},
                "required": ["days"],
                "additionalProperties": False,
            },
        },
        "type": "object",
        "properties": {
            "place": {"$ref": "#/$defs/Place"},
            "span": {"$ref": "#/$defs/Span"},
            "pace": {"type": "string", "enum": ["slow", "fast"]},
            "extras": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}], "default": None},
        },
        "required": ["place", "span", "pace"],
        "additionalProperties": False,
    }


async def test_functions_get_what_their_hints_say() -> None:
    arguments = {"place": {"city": "Ulm"}, "span": {"days": 2}, "pace": "slow"}

    assert await FunctionTool(plan).call(arguments, context()) == "Ulm, DE: 2 days, slow, None"
    assert await FunctionTool(google).call({"city": "Ulm", "unit": "F"}, context()) == "Ulm F 3"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"place": {}, "span": {"days": 2}, "pace": "slow"}, "place.city: Field required"),
        ({"place": {"city": "Ulm"}, "span": {"days": 2}, "pace": "mid"}, "pace: Input should be 'slow' or 'fast'"),
        ({"place": {"city": "Ulm"}, "span": {"days": 2}, "pace": "slow", "x": 1}, "x: Extra inputs are not permitted"),
    ],
)
async def test_arguments_that_do_not_fit_are_named(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ToolError) as refused:
        await FunctionTool(plan).call(arguments, context())

    assert str(refused.value) == f"the arguments do not fit: {problem}"


class Greeter:
    """Greets in a way of its own."""

    def __init__(self, greeting: str) -> None:
        self._greeting = greeting

    def __call__(self, name: str) -> str:
        return f"{self._greeting}, {name}"

    async def late(self, name: str) -> str:
        """Greet later."""
        return f"{self._greeting} at last, {name}"


@pytest.mark.parametrize(
    ("function", "name", "description", "said"),
    [
        (Greeter("Hi"), "Greeter", "Greets in a way of its own.", "Hi, Ada"),
        (Greeter("Hi").late, "late", "Greet later.", "Hi at last, Ada"),
        (functools.partial(Greeter("Hi").late), "late", "Greet later.", "Hi at last, Ada"),
    ],
    ids=["an object", "a method", "a partial"],
)
async def test_what_can_be_called_is_a_tool(function: Any, name: str, description: str, said: str) -> None:
    made = FunctionTool(function)

    assert (made.schema.name, made.schema.description) == (name, description)
    assert list(made.schema.parameters["properties"]) == ["name"]
    assert await made.call({"name": "Ada"}, context()) == said


async def test_the_context_is_handed_over_unseen_and_a_blocking_function_runs_in_a_thread() -> None:
    def whose(call: CallContext | None = None) -> str:
        assert threading.current_thread() is not threading.main_thread()
        return call.user_id if call else "nobody"

    assert FunctionTool(whose).schema.parameters["properties"] == {}
    assert await FunctionTool(whose).call({}, context()) == "default"


async def test_parameters_may_have_any_name() -> None:
    def odd(_x: int, copy: int, model_config: int) -> int:
        return _x + copy + model_config

    made = FunctionTool(odd)

    assert list(made.schema.parameters["properties"]) == ["_x", "copy", "model_config"]
    assert await made.call({"_x": 1, "copy": 2, "model_config": 3}, context()) == "6"


async def test_a_function_of_a_toolkit_may_take_arguments_of_any_name() -> None:
    def introduce(name: str, context: str, call: CallContext) -> str:
        return f"{name}, {context}: {call.remaining_seconds() > 0}"

    kit = Toolkit(tools=[FunctionTool(introduce, timeout_seconds=None)])

    assert await kit.execute_function("introduce", {"name": "Ada", "context": "of London"}) == "Ada, of London: True"


def test_the_decorator_says_more_and_leaves_a_function() -> None:
    @tool(name="wipe", risk_level=RiskLevel.HIGH, timeout_seconds=5)
    def wipe_all(table: str) -> str:
        return f"{table} is gone"

    @tool
    def look(table: str) -> str:
        return table

    assert (wipe_all.schema.name, wipe_all.risk_level, wipe_all.timeout_seconds) == ("wipe", RiskLevel.HIGH, 5)
    assert wipe_all("plans") == "plans is gone"
    assert look.schema.name == "look"


def test_a_schema_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Mock(wraps=read_signature)
    monkeypatch.setattr("isek.tools.function.read_signature", read)
    made = FunctionTool(rest)

    assert made.schema is made.schema
    assert read.call_count == 1


def unhinted(a, b: int):  # type: ignore[no-untyped-def]
    return a + b


def starred(*numbers: int) -> int:
    return sum(numbers)


def keywords(**numbers: int) -> int:
    return sum(numbers.values())


def by_position(a: int, /) -> int:
    return a


def unknown(a: "Missing") -> int:  # type: ignore[name-defined]  # noqa: F821
    return int(a)


def uncarried(lock: threading.Event) -> None:
    lock.set()


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (unhinted, "function 'unhinted': parameter 'a' has no type hint"),
        (starred, r"function 'starred': \*numbers tells models nothing"),
        (keywords, r"function 'keywords': \*\*numbers tells models nothing"),
        (by_position, "function 'by_position': parameter 'a' has no name for callers"),
        (unknown, "function 'unknown': its type hints cannot be read: name 'Missing' is not defined"),
        (uncarried, "function 'uncarried': a parameter has a type that JSON cannot carry"),
        (dict, "function 'dict': Python does not tell what it takes"),
        (lambda: "x", "function '<lambda>': a tool's name is 1 to 64 letters"),
    ],
)
def test_a_function_that_models_cannot_be_told_of_is_refused_by_its_name(function: Any, problem: str) -> None:
    result = IsekAgent(model=RecordingModel("x"), tools=[function]).run("hi")

    assert result.errors[0].code == "AgentInvalid"
    assert re.search(problem, result.errors[0].message)
