"""Agents as the tools of an MCP server (https://modelcontextprotocol.io/specification), by the official SDK.

Each request stands for itself, so that any replica may answer it: there are no sessions. Protocol 2026-07-28 is made
so; for clients of older ones, what they get as a session is but a name under which they cancel their calls.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import uuid4

from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER, REQUEST_CANCELLED
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from isek import __version__
from isek.api.schema import explain
from isek.asking import Answer
from isek.errors import CallError, IsekError
from isek.events import Event
from isek.protocol.mcp import AgentTool
from isek.protocol.mcp_progress import Progress
from isek.trace import TRACE_KEY, Trace

ERROR_KEY = "isek.io/error"
"""The key in the metadata of an answer."""
CANCELLED = "notifications/cancelled"
OUTPUT = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}

Answers = Callable[[str, str, str | None, Callable[[Event], None] | None], Awaitable[Answer]]
"""Gets the agent's name, the message, the session, and what is to be told of each step."""


class _Arguments(BaseModel):
    """What an agent is called with."""

    model_config = ConfigDict(extra="forbid")

    message: str = Field(description="What the agent is to do")
    sessionId: str | None = Field(  # noqa: N815  (as on the wire)
        None, description="The conversation that the message goes on with, for an agent that remembers"
    )


INPUT: dict[str, Any] = {
    "type": "object",
    "properties": {
        name: {"type": "string", "description": field.description} for name, field in _Arguments.model_fields.items()
    },
    "required": ["message"],
    "additionalProperties": False,
}


class MCPServer:
    """Answers the requests of MCP."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str | int], asyncio.Task[Answer]] = {}

    def exchange(self, said: Any, body: bytes, tools: Sequence[AgentTool], answer: Answers) -> Response:
        """What becomes of one request.

        Args:
            said: what the body says.
            body: of the request.
            tools: what the caller may use.
            answer: asks one of them.
        """
        method = said.get("method") if isinstance(said, dict) else None
        offered = {tool.name: tool for tool in tools}
        server = Server(
            "isek",
            version=__version__,
            instructions="Each tool is an agent, or a team of agents: say what it is to do.",
            get_tool_input_schema=lambda name: INPUT if name in offered else None,
            on_list_tools=functools.partial(_list_tools, tools),
            on_call_tool=functools.partial(self._call_tool, offered, answer),
        )
        if method == CANCELLED:
            return _Exchange(server, body, functools.partial(self._cancel, said))
        return _Exchange(server, body, session=uuid4().hex if method == "initialize" else None)

    def _cancel(self, said: dict[str, Any], headers: Headers) -> None:
        params = said.get("params")
        asked = params.get("requestId") if isinstance(params, dict) else None
        session = headers.get(MCP_SESSION_ID_HEADER)
        if session is not None and isinstance(asked, str | int) and (call := self._calls.get((session, asked))):
            call.cancel()

    async def _call_tool(
        self,
        offered: dict[str, AgentTool],
        answer: Answers,
        context: ServerRequestContext[Any],
        params: CallToolRequestParams,
    ) -> CallToolResult:
        if params.name not in offered:
            there = ", ".join(sorted(offered)) or "none"
            raise MCPError(
                INVALID_PARAMS,
                f"this node hosts no agent {params.name!r}; it hosts: {there}",
                {"code": "AgentNotFound", "hint": "list the tools again"},
            )
        try:
            asked = _Arguments.model_validate(params.arguments or {})
        except ValidationError as error:
            return _failure(CallError("InvalidRequest", "; ".join(explain(error)), hint="see the tool's schema"))
        wanted = context.meta is not None and "progress_token" in context.meta
        async with Progress(context.session.report_progress) as progress:
            tell = progress.tell if wanted else None
            call = asyncio.ensure_future(answer(params.name, asked.message, asked.sessionId, tell))
            try:
                return _result(await self._cancellable(call, context))
            except IsekError as error:
                return _failure(error)

    async def _cancellable(self, call: "asyncio.Task[Answer]", context: ServerRequestContext[Any]) -> Answer:
        session = context.request.headers.get(MCP_SESSION_ID_HEADER) if context.request is not None else None
        if session is None or context.request_id is None:
            return await call
        key = (session, context.request_id)
        self._calls[key] = call
        try:
            return await call
        except asyncio.CancelledError:
            here = asyncio.current_task()
            if here is None or here.cancelling():
                raise
            raise MCPError(REQUEST_CANCELLED, "the call was cancelled") from None
        finally:
            if self._calls.get(key) is call:
                del self._calls[key]


async def _list_tools(
    tools: Sequence[AgentTool], context: ServerRequestContext[Any], params: PaginatedRequestParams | None
) -> ListToolsResult:
    described = [
        Tool(name=tool.name, description=tool.description, input_schema=INPUT, output_schema=OUTPUT) for tool in tools
    ]
    return ListToolsResult(tools=described)


def _result(answer: Answer) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(text=answer.text)],
        structured_content={"answer": answer.text},
        _meta=_traced(answer.trace),
    )


def _failure(error: IsekError) -> CallToolResult:
    text = f"{error}\n{error.hint}" if error.hint else str(error)
    told = {ERROR_KEY: error.to_json()["error"], **_traced(error.trace)}
    return CallToolResult(content=[TextContent(text=text)], is_error=True, _meta=told)


def _traced(trace: Trace | None) -> dict[str, Any]:
    return {} if trace is None else {TRACE_KEY: trace.model_dump(mode="json", by_alias=True, exclude_none=True)}


class _Exchange(Response):
    """One request, answered by the SDK, with the headers that a node gives to its answers."""

    def __init__(
        self,
        server: Server[Any],
        body: bytes,
        notice: Callable[[Headers], None] | None = None,
        *,
        session: str | None = None,
    ) -> None:
        super().__init__()
        del self.headers["content-length"]
        if session is not None:
            self.headers[MCP_SESSION_ID_HEADER] = session
        self._server = server
        self._said = body
        self._notice = notice

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._notice is not None:
            self._notice(Headers(scope=scope))
        read = False

        async def again() -> Message:
            nonlocal read
            if read:
                return await receive()
            read = True
            return {"type": "http.request", "body": self._said, "more_body": False}

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        manager = StreamableHTTPSessionManager(
            self._server, stateless=True, max_request_body_size=max(len(self._said), 1)
        )
        async with manager.run():
            await manager.handle_request(scope, again, with_headers)
