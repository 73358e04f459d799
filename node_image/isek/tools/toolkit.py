"""Tools that belong together."""

import time
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any

from isek.asking import CallContext
from isek.tools.base import Tool, ToolError
from isek.tools.function import FunctionTool


class Toolkit:
    """Tools under one name, with a word on how to use them.

    Args:
        name: for people.
        tools: tools, or plain functions that become tools.
        instructions: stand in the system prompt of agents that have the toolkit.
    """

    def __init__(
        self, name: str = "toolkit", tools: Iterable[Tool | Callable[..., Any]] = (), instructions: str = ""
    ) -> None:
        self.name = name
        self.instructions = instructions
        self._tools: dict[str, Tool] = {}
        for each in tools:
            self.register(each)

    def register(self, tool: Tool | Callable[..., Any]) -> Tool:
        """Add a tool; serves as a decorator of functions, too.

        Raises:
            TypeError: it is neither a tool nor a function.
            ValueError: there is one of that name.
        """
        if isinstance(tool, type) and issubclass(tool, Tool):
            raise TypeError(f"toolkit {self.name!r}: {tool.__name__} is a class: make one, {tool.__name__}(…)")
        made = tool if isinstance(tool, Tool) else FunctionTool(tool)
        name = made.schema.name
        if name in self._tools:
            raise ValueError(f"toolkit {self.name!r} has a tool {name!r} already")
        self._tools[name] = made
        return made

    def get_function(self, name: str) -> Tool | None:
        """The tool of that name."""
        return self._tools.get(name)

    def list_functions(self) -> list[str]:
        """The tools' names."""
        return list(self._tools)

    async def execute_function(
        self, name: str, arguments: dict[str, Any] | None = None, context: CallContext | None = None
    ) -> str:
        """What the tool says.

        Args:
            name: of the tool.
            arguments: by the names of its parameters.
            context: the run that it is called in; default: one that has as long as the tool.

        Raises:
            ToolError: there is none of that name, or it failed.
        """
        tool = self._tools.get(name)
        if tool is None:
            raise ToolError(f"toolkit {self.name!r} has no tool {name!r}; it has: {', '.join(self._tools) or 'none'}")
        if context is None:
            context = CallContext(time.monotonic() + (tool.timeout_seconds or inf))
        return await tool.call(arguments or {}, context)

    async def open(self) -> Sequence[Tool]:
        """The tools; a toolkit whose tools live elsewhere asks for them here.

        Raises:
            RunError: they cannot be had.
        """
        return tuple(self._tools.values())

    async def aclose(self) -> None:
        """Let go of connections and processes."""
        for tool in self._tools.values():
            await tool.aclose()
