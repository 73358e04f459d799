"""An agent or a team of this process as a tool."""

import re
import time
from typing import Any

from isek.asking import CallContext, Runner
from isek.errors import IsekError
from isek.events import AskEnded, AskStarted
from isek.models.base import ToolSchema
from isek.tools.base import Tool, ToolError, text_argument


class RunnerTool(Tool):
    """Asks an agent or a team that lives in this process."""

    timeout_seconds = None

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.schema = ToolSchema(
            name=re.sub(r"[^a-zA-Z0-9_-]", "_", runner.name)[:64],
            description=f"Asks {runner.name!r}, another agent, and returns its answer. {runner.description}".strip(),
            parameters={
                "type": "object",
                "properties": {"message": {"type": "string", "description": "What to ask, complete in itself."}},
                "required": ["message"],
                "additionalProperties": False,
            },
        )

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """The agent's answer to ``message``."""
        message = text_argument(arguments, "message")
        begun, error_code = time.monotonic(), None
        try:
            deeper = context.deeper()
            deeper.tell(AskStarted(self._runner.name, message))
            return str((await self._runner.respond(message, deeper)).answer())
        except IsekError as error:
            error_code = error.code
            raise ToolError(str(error)) from error
        finally:
            context.tell(AskEnded(self._runner.name, time.monotonic() - begun, error_code))
