"""From what an agent was given as tools to the tools that its model may call."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from isek.asking import Runner
from isek.colleague import Far, Near
from isek.tools.ask import AskTool
from isek.tools.base import Tool
from isek.tools.function import FunctionTool
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
    instructions: list[str] = []
    for each in given:
        if isinstance(each, Toolkit):
            found = await each.open()
            if each.instructions:
                instructions.append(each.instructions)
        else:
            found = (_tool(each),)
        for tool in found:
            name = tool.schema.name
            if name in tools:
                raise ValueError(f"two tools are called {name!r}: give one of them another name")
            tools[name] = tool
    return Opened(tools, tuple(instructions))


def _tool(given: Tool | Runner | str | Callable[..., Any]) -> Tool:
    if isinstance(given, Tool):
        return given
    if isinstance(given, str):
        return AskTool(Far(given))
    if isinstance(given, Runner):
        return AskTool(Near(given))
    return FunctionTool(given)
