"""Another agent or team as a tool."""

from typing import Any

from isek.asking import Asks, CallContext
from isek.errors import IsekError
from isek.models.base import ToolSchema
from isek.tools.base import Tool, ToolError, text_argument

MAX_TOOL_NAME = 64
"""Characters that OpenAI's API takes (Function calling, ``name``)."""


class AskAgent(Tool):
    """Asks an agent or a team by its address, over the mesh.

    Args:
        address: ``<agent>``, or ``<agent>.<namespace>``. The tool is called like it, with ``_`` for the dot, which
            models do not take.
        asks: what carries the message.
    """

    def __init__(self, address: str, asks: Asks) -> None:
        self._asks, self._address = asks, address
        self.schema = ToolSchema(
            name=address.replace(".", "_")[:MAX_TOOL_NAME],
            description=f"Asks {address!r}, another agent, and returns its answer.",
            parameters={
                "type": "object",
                "properties": {"message": {"type": "string", "description": "What to ask, complete in itself."}},
                "required": ["message"],
                "additionalProperties": False,
            },
        )

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """The agent's answer to ``message``."""
        try:
            return (await self._asks.ask(self._address, text_argument(arguments, "message"), context)).text
        except IsekError as error:
            raise ToolError(str(error)) from error
