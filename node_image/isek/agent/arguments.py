"""Whether an agent or a team is given what it takes: a mistake is told where it is made, not in the first run.

``who`` is who is made, such as ``agent 'writer'``.
"""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from isek.asking import Runner
from isek.colleague import Colleague
from isek.models.base import Model
from isek.tools.base import Tool
from isek.tools.function import FunctionTool
from isek.tools.toolkit import Toolkit


def checked_model(who: str, model: Any) -> Model:
    """The model, which must be one.

    Raises:
        TypeError: it is something else.
        ValueError: there is none.
    """
    if model is None:
        raise ValueError(f"{who} has no model: give it one, such as model=OpenAIModel('gpt-5-mini')")
    if not isinstance(model, Model):
        raise TypeError(f"{who}: model must be a Model, such as OpenAIModel('gpt-5-mini'), not {model!r}")
    return model


def checked_instructions(who: str, instructions: Any) -> Any:
    """What gives the system prompt.

    Raises:
        TypeError: it is neither a text, nor several, nor a function.
    """
    if isinstance(instructions, str) or callable(instructions):
        return instructions
    if not isinstance(instructions, Sequence) or not all(isinstance(point, str) for point in instructions):
        raise TypeError(f"{who}: instructions must be a text, a list of texts or a function, not {instructions!r}")
    return instructions


def tuple_of(who: str, what: str, given: Any) -> tuple[Any, ...]:
    """What was given as a list.

    Raises:
        TypeError: it is none; a text would be taken for its letters.
    """
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"{who}: {what} must be a list, not {given!r}")
    return tuple(given)


def functions_of(who: str, what: str, given: Any) -> tuple[Any, ...]:
    """What was given as a list, of functions.

    Raises:
        TypeError: it is none, or one of them cannot be called.
    """
    functions = tuple_of(who, what, given)
    for each in functions:
        if not callable(each):
            raise TypeError(f"{who}: {each!r} among the {what} is no function")
    return functions


def others_of(who: str, what: str, given: Any) -> tuple[Any, ...]:
    """What was given as a list, of agents, teams and addresses of such.

    Raises:
        TypeError: it is none, or one of them is something else.
    """
    others = tuple_of(who, what, given)
    for each in others:
        check_other(who, what, each)
    return others


def check_other(who: str, what: str, other: Any) -> None:
    """Refuse what cannot be asked.

    Raises:
        TypeError: it is no agent, no team and no address of one.
    """
    if isinstance(other, type) or not isinstance(other, Runner | Colleague | str):
        raise TypeError(f"{who}: {other!r} among the {what} is no agent, team or address of one")


def checked_tools(who: str, tools: Any) -> tuple[Any, ...]:
    """The tools, each of which a model can call. Functions are read once, as ``FunctionTool``.

    Raises:
        TypeError: one is neither a tool, a toolkit, an agent, a team, an address of one, nor a function.
    """
    checked: list[Any] = []
    for tool in tuple_of(who, "tools", tools):
        if inspect.isroutine(tool):  # before what takes longer to find out
            checked.append(FunctionTool(tool))
        elif isinstance(tool, type) and issubclass(tool, Tool | Toolkit):
            raise TypeError(f"{who}: {tool.__name__} among the tools is a class: make one, {tool.__name__}(…)")
        elif isinstance(tool, Tool | Toolkit | str | Runner):
            checked.append(tool)
        elif callable(tool):
            checked.append(FunctionTool(tool))
        else:
            raise TypeError(f"{who}: {tool!r} among the tools is no tool, toolkit, agent, team, address or function")
    return tuple(checked)


def check_type(who: str, what: str, value: Any, wanted: type) -> None:
    """Refuse what is of another type.

    Raises:
        TypeError: it is.
    """
    if not isinstance(value, wanted):
        raise TypeError(f"{who}: {what} must be {wanted.__name__}, not {value!r}")
