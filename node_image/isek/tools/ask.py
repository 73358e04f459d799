"""Another agent or team as a tool."""

from typing import Any

from isek.asking import CallContext
from isek.colleague import Colleague
from isek.errors import IsekError
from isek.models.base import ToolSchema
from isek.tools.base import Tool, ToolError, text_argument, tool_name
from isek.tools.function import as_text


class AskTool(Tool):
    """Asks a colleague. The tool is called like them, with ``_`` for what models do not take in a name."""

    timeout_seconds = None

    def __init__(self, colleague: Colleague) -> None:
        self._colleague = colleague

    @property
    def schema(self) -> ToolSchema:  # type: ignore[override]
        """What the model is told, with what is known of the colleague at this moment."""
        colleague = self._colleague
        what = f"Asks {colleague.name!r}, another agent, and returns its answer. {colleague.description}"
        return ToolSchema(
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


def message_parameters(description: str) -> dict[str, Any]:
    """The schema of a tool that takes one ``message``."""
    return {
        "type": "object",
        "properties": {"message": {"type": "string", "description": description}},
        "required": ["message"],
        "additionalProperties": False,
    }
