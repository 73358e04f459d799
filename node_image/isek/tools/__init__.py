"""What an agent's model may call."""

from isek.tools.base import Tool, ToolError

__all__ = ["Tool", "ToolError"]
