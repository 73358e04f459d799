"""Giving a task away."""

from typing import Any

from isek.asking import CallContext, Runner
from isek.models.base import ToolSchema
from isek.tools.ask import message_parameters
from isek.tools.base import Tool, ToolError, tool_name


class HandoffTool(Tool):
    """Stands for somebody who answers in the agent's place. A call of it ends the agent's run.

    Args:
        target: who it is: an agent or a team of this process, or an address in the mesh.
    """

    def __init__(self, target: Runner | str) -> None:
        self.runner = None if isinstance(target, str) else target
        self.target = target if isinstance(target, str) else target.name
        good_for = "" if isinstance(target, str) else target.description
        self.schema = ToolSchema(
            name=tool_name(f"handoff_to_{self.target}"),
            description=f"Hands the whole task over to {self.target!r}, who answers in your place. {good_for}".strip(),
            parameters=message_parameters("The task, complete in itself."),
        )

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """Nothing: the loop ends before."""
        raise ToolError("a handoff ends the run")
