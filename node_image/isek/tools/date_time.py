"""What models cannot know: the date and the time."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from isek.asking import CallContext
from isek.models.base import ToolSchema
from isek.tools.base import Tool, ToolError


class DateTime(Tool):
    """Says what day and time it is, in UTC or where the model asks for.

    Args:
        now: the clock; in UTC.
    """

    schema = ToolSchema(
        name="datetime",
        description="The current date, weekday and time, in ISO 8601.",
        parameters={
            "type": "object",
            "properties": {
                "timezone": {
                    "type": "string",
                    "description": "IANA name, such as Europe/Berlin.",
                    "default": "UTC",
                }
            },
            "additionalProperties": False,
        },
    )

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """Such as ``Saturday, 2026-11-21T17:04:05+01:00``."""
        zone = arguments.get("timezone", "UTC")
        if set(arguments) - {"timezone"} or not isinstance(zone, str):
            raise ToolError(f"the arguments must be one text, 'timezone', or nothing; got {sorted(arguments)}")
        try:
            there = self._now().astimezone(ZoneInfo(zone))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ToolError(f"there is no time zone {zone!r}; take an IANA name such as Europe/Berlin") from None
        return f"{there:%A}, {there.isoformat(timespec='seconds')}"
