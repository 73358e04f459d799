"""From the ``tools`` of a resource to the tools."""

from collections.abc import Iterable

from isek.api.agent import Tool as ToolSpec
from isek.asking import Asks
from isek.colleague import Far
from isek.tools.ask import AskTool
from isek.tools.base import Tool
from isek.tools.calculator import Calculator


def build_tools(specs: Iterable[ToolSpec], asks: Asks) -> list[Tool]:
    """The tools.

    Raises:
        ValueError: two have the same name.
    """
    tools: dict[str, Tool] = {}
    for number, spec in enumerate(specs):
        tool: Tool = AskTool(Far(spec.agent.address, asks)) if spec.agent else Calculator()
        if tool.schema.name in tools:
            raise ValueError(f"spec.tools[{number}]: there is a tool called {tool.schema.name!r} already")
        tools[tool.schema.name] = tool
    return list(tools.values())
