"""``POST /mcp``: the agents of a node as the tools of an MCP server (streamable HTTP)."""

from collections.abc import Callable
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive

from isek.asking import Answer
from isek.errors import CallError, IsekError
from isek.events import Event
from isek.node.access import Gate
from isek.node.endpoint import Endpoint, parse_json
from isek.node.host import Host
from isek.protocol import headers
from isek.protocol.mcp import MCP, AgentTool

INVALID_REQUEST = -32600
"""JSON-RPC 2.0, 5.1: what could not be taken as a request at all."""


class MCPEndpoint(Endpoint):
    """Where agents are tools. A caller that goes away takes its run along: nobody could fetch the answer later."""

    def __init__(self, host: Host, gate: Gate, max_body_bytes: int) -> None:
        super().__init__(host, max_body_bytes)
        self._gate = gate
        self._mcp = MCP()

    async def _respond(self, request: Request, receive: Receive) -> Response:
        _check_origin(request)
        visible = await self._gate.visible(request.headers, request.client, self._host.hosted)
        body = await self._read(request)
        said = parse_json(body)

        async def answer(
            name: str, message: str, session_id: str | None, on_event: Callable[[Event], None] | None
        ) -> Answer:
            hosted = self._host.find(name)
            context, path = await self._gate.admit(request.headers, request.client, hosted)
            asked_in = replace(
                context, session_id=session_id or request.headers.get(headers.SESSION_ID), on_event=on_event
            )
            return await self._host.answer(name, message, asked_in, path=path)

        server = await self._mcp.server()
        tools = [AgentTool(each.name, each.description) for each in visible]
        return server.exchange(said, body, tools, answer)

    def _failure(self, error: IsekError) -> Response:
        data = error.to_json()["error"]
        said = {"code": INVALID_REQUEST, "message": str(error), "data": data}
        body = {"jsonrpc": "2.0", "id": None, "error": said}
        return JSONResponse(body, error.status, headers.of_error(error))


def _check_origin(request: Request) -> None:
    """Refuse what pages of other sites send, as the specification wants (Transports, Security Warning).

    Raises:
        CallError: ``ForeignOrigin``.
    """
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        raise CallError(
            "ForeignOrigin",
            f"pages of {origin!r} may not use this node",
            hint="call it from a program, or lead the page's own address to it",
            status=403,
        )
