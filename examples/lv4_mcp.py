"""Tools of an MCP server, which this file starts as a process. ``MCPToolkit(url)`` reaches one that runs elsewhere."""

import sys

from isek import IsekAgent, MCPToolkit, OpenAIModel


def price(article: str) -> str:
    """What an article costs."""
    return {"tea": "4.20 EUR", "coffee": "5.80 EUR"}.get(article, "not for sale")


def serve(port: int | None) -> None:
    """Be the server: of whoever started it; with a port, of all who reach http://127.0.0.1:<port>/mcp."""
    from mcp.server import MCPServer  # noqa: PLC0415  (what asks need not be what serves)

    server = MCPServer("shop")
    server.tool()(price)
    if port is None:
        server.run("stdio")
    else:
        server.run("streamable-http", port=port)


agent = IsekAgent(
    name="seller",
    model=OpenAIModel("gpt-5-mini"),
    instructions="You sell tea and coffee. Look up each price.",
    tools=[MCPToolkit(command=[sys.executable, __file__, "serve"], allow=["price"])],
)

if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]) if len(sys.argv) > 2 else None)
    else:
        agent.print_response("What does tea cost?")
