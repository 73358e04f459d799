"""Telling everybody who wants to know."""

from collections.abc import Iterable
from typing import Any

from isek.asking import CallContext
from isek.errors import CallError
from isek.models.base import ToolSchema
from isek.tools.base import RiskLevel, Tool, ToolError
from isek.topics.message import check_topic


class Publish(Tool):
    """Publishes a text to a topic of the mesh, for all who listen.

    Args:
        topics: those that the model may publish to.

    Raises:
        ValueError: there is none, or one has a name that no topic can have.
    """

    risk_level = RiskLevel.MEDIUM

    def __init__(self, topics: Iterable[str]) -> None:
        try:
            self._topics = tuple(dict.fromkeys(check_topic(topic) for topic in topics))
        except CallError as error:
            raise ValueError(f"{error.message}: {error.hint}") from None
        if not self._topics:
            raise ValueError("topics: name at least one")
        self.schema = ToolSchema(
            name="publish",
            description="Publishes a message to a topic, for all other agents and programs that listen to it.",
            parameters={
                "type": "object",
                "properties": {
                    "topic": {"type": "string", "enum": list(self._topics)},
                    "message": {"type": "string", "description": "What to tell them, complete in itself."},
                },
                "required": ["topic", "message"],
                "additionalProperties": False,
            },
        )

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """How many listened."""
        topic, message = arguments.get("topic"), arguments.get("message")
        if set(arguments) != {"topic", "message"} or not isinstance(message, str) or topic not in self._topics:
            raise ToolError(f"the arguments must be a message, and a topic out of {', '.join(self._topics)}")
        try:
            listeners = await context.publish(topic, message)
        except CallError as error:
            raise ToolError(str(error)) from error
        return f"published; {listeners} listened"
