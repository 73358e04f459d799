"""Functions by the names of their modules."""

import asyncio
from collections.abc import Sequence
from functools import reduce
from importlib import import_module
from typing import Any

from isek.errors import RunError
from isek.tools.base import Tool
from isek.tools.function import FunctionTool
from isek.tools.toolkit import Toolkit


class PythonTool(Toolkit):
    """What ``package.module:name`` is: a function, a tool or a toolkit. It is imported when it is first needed, so that
    one that is broken is told to those who ask its agent, and to nobody else on the node.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._path = path
        self._toolkit: Toolkit | None = None

    async def open(self) -> Sequence[Tool]:
        """The tools.

        Raises:
            RunError: ``ToolsUnavailable``: there is no such thing, or it is none that models can be told of.
        """
        module, _, name = self._path.partition(":")
        try:
            found: Any = reduce(getattr, name.split("."), await asyncio.to_thread(import_module, module))
            if isinstance(found, Toolkit):
                self._toolkit, self.instructions = found, found.instructions
                return await found.open()
            tool = found if isinstance(found, Tool) else FunctionTool(found)
            self._tools = {tool.schema.name: tool}
        except RunError:
            raise
        except Exception as error:
            raise RunError(
                "ToolsUnavailable",
                f"the tool {self._path!r} cannot be had: {type(error).__name__}: {error}",
                hint="mend the function, or its name in spec.tools",
            ) from error
        return (tool,)

    async def aclose(self) -> None:
        """Let go of what the tool, or the toolkit, holds open."""
        if self._toolkit is not None:
            await self._toolkit.aclose()
        await super().aclose()
