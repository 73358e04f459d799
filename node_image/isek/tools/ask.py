"""Another agent or team as a tool."""

import re
from typing import Any

from isek.asking import CallContext
from isek.colleague import Colleague
from isek.errors import IsekError
from isek.models.base import ToolSchema
from isek.tools.base import Tool, ToolError, text_argument
from isek.tools.function import as_text

MAX_TOOL_NAME = 64
"""Characters that OpenAI's API takes (Function calling, ``name``)."""


class AskTool(Tool):
    """Asks a colleague. The tool is called like them, with ``_`` for what models do not take in a name."""

    timeout_seconds = None

    def __init__(self, colleague: Colleague) -> None:
        self._colleague = colleague
        what = f"Asks {colleague.name!r}, another agent, and returns its answer. {colleague.description}"
        self.schema = ToolSchema(
            name=tool_name(colleague.name),
            description=what.strip(),
            parameters=message_parameters("What to ask, complete in itself."),
        )

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """The colleague's answer to ``message``."""
        try:
            return as_text(await self._colleague.ask(text_argument(arguments, "message"), context))
        except IsekError as error:
            raise ToolError(str(error)) from error


def tool_name(name: str) -> str:
    """A name that models take for a tool."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:MAX_TOOL_NAME]


def message_parameters(description: str) -> dict[str, Any]:
    """The schema of a tool that takes one ``message``."""
    return {
        "type": "object",
        "properties": {"message": {"type": "string", "description": description}},
        "required": ["message"],
        "additionalProperties": False,
    }
