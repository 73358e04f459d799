"""An MCP server as a process: ``python -m tests.support.mcp_server [PORT]``, or over stdio."""

import asyncio
import os
import sys
from typing import Literal

from mcp.server import MCPServer
from pydantic import BaseModel, Field

server = MCPServer("shop")


class Item(BaseModel):
    name: str
    count: int = Field(ge=1, description="how many")


@server.tool()
def order(items: list[Item], speed: Literal["slow", "fast"] = "slow") -> str:
    """Order something."""
    return f"{sum(item.count for item in items)} things, {speed}"


@server.tool()
def fail(reason: str) -> str:
    """Fail."""
    raise RuntimeError(reason)


@server.tool()
async def hang() -> str:
    """Never answer."""
    await asyncio.Event().wait()
    return ""


@server.tool()
def end() -> str:
    """End the server in the middle of a call."""
    os._exit(1)


@server.tool()
def secret() -> str:
    """Tell a variable of the environment."""
    return os.environ.get("SHOP_SECRET", "none")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run("stdio")
