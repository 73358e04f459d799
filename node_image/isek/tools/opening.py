"""From what an agent was given as tools to the tools that its model may call."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from isek.asking import Runner
from isek.colleague import Far, Near
from isek.tools.ask import AskTool
from isek.tools.base import Tool, tool_name
from isek.tools.function import FunctionTool
from isek.tools.signature import called
from isek.tools.toolkit import Toolkit

Given = Tool | Toolkit | Runner | str | Callable[..., Any]
"""A tool, a toolkit, another agent or team, or its address in the mesh, or a plain function."""


@dataclass(frozen=True)
class Opened:
    """Tools, ready to be called."""

    tools: dict[str, Tool]
    instructions: tuple[str, ...]
    """What the toolkits say about their use."""


async def open_tools(given: Iterable[Given]) -> Opened:
    """The tools by their names.

    Raises:
        ValueError: two have the same name.
        RunError: those of a toolkit cannot be had.
    """
    tools: dict[str, Tool] = {}
    owners: dict[str, Given] = {}
    instructions: list[str] = []
    for each in given:
        if isinstance(each, Toolkit):
            found = await each.open()
            if each.instructions:
                instructions.append(each.instructions)
        else:
            found = (_tool(each),)
        for tool in found:
            _own(owners, tool.schema.name, each)
            tools[tool.schema.name] = tool
    return Opened(tools, tuple(instructions))


def check_names(given: Iterable[Given]) -> None:
    """Refuse two tools of one name, as far as names are known before toolkits have opened.

    Raises:
        ValueError: there are two; the message says what they are.
    """
    owners: dict[str, Given] = {}
    for each in given:
        for name in _names(each):
            _own(owners, name, each)


def _own(owners: dict[str, Given], name: str, owner: Given) -> None:
    if name in owners:
        who = f"{_called(owners[name])} and {_called(owner)}"
        raise ValueError(f"two tools are called {name!r}, {who}: give one of them another name")
    owners[name] = owner


def _names(given: Given) -> Sequence[str]:
    if isinstance(given, FunctionType):  # what most are, first: agents are made by the thousand
        return (given.__name__,)
    if isinstance(given, Toolkit):
        return given.list_functions()
    if isinstance(given, FunctionTool):
        return (given.name,)
    if isinstance(given, Tool):
        return (given.schema.name,)
    if isinstance(given, str):
        return (tool_name(given),)
    if inspect.isroutine(given) or not isinstance(given, Runner):
        return (called(given),)
    return (tool_name(given.name),)


def _called(given: Given) -> str:
    if isinstance(given, Toolkit):
        return f"one of toolkit {given.name!r}"
    if isinstance(given, FunctionTool):
        return f"the function {called(given.function)!r}"
    if isinstance(given, Tool):
        return f"a {type(given).__name__}"
    if isinstance(given, str):
        return f"the agent or team {given!r}"
    if inspect.isroutine(given) or not isinstance(given, Runner):
        return f"the function {called(given)!r}"
    return f"the agent or team {given.name!r}"


def _tool(given: Tool | Runner | str | Callable[..., Any]) -> Tool:
    if isinstance(given, Tool):
        return given
    if isinstance(given, str):
        return AskTool(Far(given))
    if isinstance(given, Runner):
        return AskTool(Near(given))
    return FunctionTool(given)
