"""Giving a task away."""

from typing import Any

from isek.asking import CallContext
from isek.models.base import ToolSchema
from isek.tools.base import Tool, ToolError


class HandoffTool(Tool):
    """Stands for somebody who answers in the agent's place. A call of it ends the agent's run.

    Args:
        target: who it is.
        description: what they are good for.
    """

    def __init__(self, target: str, description: str = "") -> None:
        self.target = target
        self.schema = ToolSchema(
            name=f"handoff_to_{target.replace('.', '_')}"[:64],
            description=f"Hands the whole task over to {target!r}, who answers in your place. {description}".strip(),
            parameters={
                "type": "object",
                "properties": {"message": {"type": "string", "description": "The task, complete in itself."}},
                "required": ["message"],
                "additionalProperties": False,
            },
        )

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """Nothing: the loop ends before."""
        raise ToolError("a handoff ends the run")
