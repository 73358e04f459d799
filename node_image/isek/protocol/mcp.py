"""The way to MCP. As with A2A, its SDK is imported, beside the event loop, when somebody first speaks it: it takes a
second, and 50 MB."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isek.protocol.mcp_server import MCPServer


@dataclass(frozen=True)
class AgentTool:
    """An agent or a team, as a tool."""

    name: str
    description: str


class MCP:
    """MCP, once it is needed."""

    def __init__(self) -> None:
        self._server: MCPServer | None = None

    async def server(self) -> MCPServer:
        """Answers requests of MCP."""
        if self._server is None:
            module = await asyncio.to_thread(import_module, "isek.protocol.mcp_server")
            self._server = self._server or module.MCPServer()
        return self._server
