"""Whether an agent is given what it takes: a mistake is told where it is made, not in the first run."""

from collections.abc import Iterable, Sequence
from typing import Any

from isek.asking import Runner
from isek.models.base import Model
from isek.tools.base import Tool
from isek.tools.toolkit import Toolkit


def checked_model(who: str, model: Any) -> Model:
    """The model, which must be one.

    Raises:
        TypeError: it is something else.
        ValueError: there is none.
    """
    if model is None:
        raise ValueError(f"agent {who!r} has no model: give it one, such as model=OpenAIModel('gpt-5-mini')")
    if not isinstance(model, Model):
        raise TypeError(f"agent {who!r}: model must be a Model, such as OpenAIModel('gpt-5-mini'), not {model!r}")
    return model


def checked_instructions(who: str, instructions: Any) -> Any:
    """What gives the system prompt.

    Raises:
        TypeError: it is neither a text, nor several, nor a function.
    """
    several = isinstance(instructions, Sequence) and all(isinstance(point, str) for point in instructions)
    if not several and not callable(instructions):
        raise TypeError(
            f"agent {who!r}: instructions must be a text, a list of texts or a function, not {instructions!r}"
        )
    return instructions


def tuple_of(who: str, what: str, given: Any) -> tuple[Any, ...]:
    """What was given as a list.

    Raises:
        TypeError: it is none; a text would be taken for its letters.
    """
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"agent {who!r}: {what} must be a list, not {given!r}")
    return tuple(given)


def checked_tools(who: str, tools: Any) -> tuple[Any, ...]:
    """The tools, each of which a model can call.

    Raises:
        TypeError: one is neither a tool, a toolkit, an agent, a team, an address of one, nor a function.
    """
    given = tuple_of(who, "tools", tools)
    for tool in given:
        if isinstance(tool, type) and issubclass(tool, Tool | Toolkit):
            raise TypeError(f"agent {who!r}: {tool.__name__} among the tools is a class: make one, {tool.__name__}(…)")
        if not isinstance(tool, Tool | Toolkit | str) and not callable(tool) and not isinstance(tool, Runner):
            raise TypeError(
                f"agent {who!r}: {tool!r} among the tools is no tool, toolkit, agent, team, address or function"
            )
    return given


def check_type(who: str, what: str, value: Any, wanted: type) -> None:
    """Refuse what is of another type.

    Raises:
        TypeError: it is.
    """
    if not isinstance(value, wanted):
        raise TypeError(f"agent {who!r}: {what} must be {wanted.__name__}, not {value!r}")
