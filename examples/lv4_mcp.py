"""Tools of an MCP server, which this file starts as a process. ``MCPToolkit(url)`` reaches one that runs elsewhere."""

import sys

from isek import IsekAgent, MCPToolkit, OpenAIModel


def price(article: str) -> str:
    """What an article costs."""
    return {"tea": "4.20 EUR", "coffee": "5.80 EUR"}.get(article, "not for sale")


def serve() -> None:
    """Be the server."""
    from mcp.server import MCPServer  # noqa: PLC0415  (what asks need not be what serves)

    server = MCPServer("shop")
    server.tool()(price)
    server.run("stdio")


agent = IsekAgent(
    name="seller",
    model=OpenAIModel("gpt-5-mini"),
    instructions="You sell tea and coffee. Look up each price.",
    tools=[MCPToolkit(command=[sys.executable, __file__, "serve"], allow=["price"])],
)

if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        agent.print_response("What does tea cost?")
