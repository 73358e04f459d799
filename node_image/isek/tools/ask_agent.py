"""Another agent or team as a tool."""

from typing import Any

from isek.asking import Asks, CallContext
from isek.errors import IsekError
from isek.models.base import ToolSchema
from isek.tools.base import ToolError, text_argument


class AskAgent:
    """Asks an agent or a team by its address, over the mesh.

    Args:
        name: the agent, within the namespace of the one that asks; the tool is called like it.
        asks: what carries the message.
    """

    def __init__(self, name: str, asks: Asks) -> None:
        self._asks = asks
        self.schema = ToolSchema(
            name=name,
            description=f"Asks {name!r}, another agent, and returns its answer.",
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
            return (await self._asks.ask(self.schema.name, text_argument(arguments, "message"), context)).text
        except IsekError as error:
            raise ToolError(str(error)) from error
