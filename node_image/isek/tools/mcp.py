"""The tools of a server that speaks the Model Context Protocol (https://modelcontextprotocol.io)."""

import asyncio
import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from isek.asking import CallContext
from isek.calling import Readable, read_now
from isek.errors import RunError
from isek.models.base import ToolSchema
from isek.per_loop import PerLoop
from isek.tools.arguments import ArgumentCheck
from isek.tools.base import TIMEOUT_SECONDS, RiskLevel, Tool, ToolError, tool_name
from isek.tools.pinned import PinnedTools
from isek.tools.toolkit import Toolkit

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import CallToolResult, ListToolsResult
    from mcp.types import Tool as Described

CONNECT_SECONDS = 30.0
MAX_PAGES = 1000
"""Of a server's list of tools."""
LOOK_SECONDS = 60.0
"""After which a run asks again what the server's tools are."""


class MCPToolkit(Toolkit):
    """The tools of an MCP server: of a process that is started (stdio), or behind a URL (streamable HTTP).

    It connects when the tools are first needed, and again when the server went away and came back.

    Args:
        url: where the server answers, such as ``http://tools/mcp``.
        command: starts the server instead: the program and its arguments.
        env: for the started server, beside a few harmless variables of this process.
        headers: are sent along to ``url``; values, or what reads them when a connection is made.
        allow: the only tools to take; default: all.
        pins: what each tool has to be, by its name, as :attr:`pins` of a toolkit tells it once it was opened. A tool
            that is something else is not offered to the model, nor one that neither this nor ``allow`` names. Default:
            what the tools are when they are first seen.
        name: of the toolkit.
        instructions: how its tools are used; the model reads it.
        risk_level: what harm its tools may do; default: low for those that the server calls read-only, high for those
            that it calls destructive, and medium for the others.
        timeout_seconds: for one call.

    Raises:
        ValueError: it is given both a URL and a command, or none.
    """

    def __init__(
        self,
        url: str = "",
        *,
        command: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        headers: Mapping[str, Readable] | None = None,
        allow: Iterable[str] | None = None,
        pins: Mapping[str, str] | None = None,
        name: str = "mcp",
        instructions: str = "",
        risk_level: RiskLevel | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        if bool(url) == bool(command):
            raise ValueError("an MCPToolkit needs a url, or a command that starts the server")
        if isinstance(command, str):
            raise TypeError(f"the command of an MCPToolkit must be a list such as {command.split()}")
        super().__init__(name, instructions=instructions)
        self._where = url or command[0]
        self._url = url
        self._command = tuple(command)
        self._env = dict(env or {})
        self._headers = dict(headers or {})
        self._pinned = PinnedTools(url or command[0], allow, pins)
        self._looked_at: float | None = None
        self.risk_level = risk_level
        self.timeout_seconds = timeout_seconds
        self._servers = PerLoop(lambda: _Server(self._where, self._enter), _Server.aclose)

    async def open(self) -> Sequence[Tool]:
        """The server's tools. They are asked for anew after a while, since what they are may change.

        Raises:
            RunError: ``ToolsUnavailable``: the server cannot be reached, or lacks one that is allowed.
        """
        now = time.monotonic()
        if self._looked_at is not None and now - self._looked_at < LOOK_SECONDS:
            return tuple(self._tools.values())
        known = self._looked_at is not None
        try:
            if known:
                self._looked_at = now  # the others that run meanwhile use what there is
            self._take(await (await (await self._servers.get()).connected()).list_tools())
        except ToolError as error:
            if known:  # whoever calls one of its tools is told
                return tuple(self._tools.values())
            raise _unavailable(str(error), "start the MCP server, or mend its address") from None
        self._looked_at = now
        return tuple(self._tools.values())

    @property
    def pins(self) -> Mapping[str, str]:
        """What each tool is taken to be, by its name: a digest of its name, description and schema."""
        return self._pinned.pins

    @property
    def changed(self) -> Sequence[str]:
        """Tools that are not what they have to be: what is wrong with each, and what to do."""
        return self._pinned.changed

    def _take(self, described: "Sequence[Described]") -> None:
        """Offer those of the server's tools that are what they have to be."""
        try:
            tools = [MCPTool(self, tool) for tool in self._pinned.unchanged(described)]
        except ValueError as error:
            raise _unavailable(str(error), "leave the tool out of allow") from None
        self._tools = {tool.schema.name: tool for tool in tools}

    async def ask(self, tool: str, arguments: dict[str, Any]) -> "CallToolResult":
        """Call a tool of the server.

        Raises:
            ToolError: the server could not be asked, or the tool is no longer what it was.
        """
        try:
            async with asyncio.timeout(self.timeout_seconds):
                connection = await (await self._servers.get()).connected()
                if not connection.looked_at:  # it may be another server by now
                    self._take(await connection.list_tools())
                if not self._pinned.offers(tool):
                    raise ToolError(f"{tool!r} has changed since it was accepted, and is not called")
                return await connection.call(tool, arguments)
        except TimeoutError:
            raise ToolError(f"{tool!r} did not answer within {self.timeout_seconds:g} s") from None

    async def aclose(self) -> None:
        """End the connection, and the server that was started."""
        await self._servers.aclose()

    async def _enter(self, stack: AsyncExitStack) -> "Client":
        from mcp import Client, StdioServerParameters  # noqa: PLC0415
        from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415
        from mcp.shared._httpx_utils import create_mcp_http_client  # noqa: PLC0415

        server: Any
        if self._url:
            headers = {name: await read_now(value) for name, value in self._headers.items()}
            http = await stack.enter_async_context(create_mcp_http_client(headers=headers))
            server = streamable_http_client(self._url, http_client=http)
        else:
            server = StdioServerParameters(command=self._command[0], args=list(self._command[1:]), env=self._env)
        return await stack.enter_async_context(Client(server))


class MCPTool(Tool):
    """One tool of a server."""

    timeout_seconds = None  # the toolkit watches the time

    def __init__(self, toolkit: MCPToolkit, described: "Described") -> None:
        self._toolkit = toolkit
        self._name = described.name
        self.schema = ToolSchema(tool_name(described.name), described.description or "", described.input_schema)
        self.risk_level = _risk(described) if toolkit.risk_level is None else toolkit.risk_level
        try:
            self._arguments = ArgumentCheck(described.input_schema)
        except ValueError as error:
            raise ValueError(f"tool {described.name!r}: {error}") from None

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """What the server says, as text."""
        self._arguments.check(arguments)
        return text_of(await self._toolkit.ask(self._name, arguments))


def text_of(result: "CallToolResult") -> str:
    """What a tool has answered, as text.

    Raises:
        ToolError: that it failed.
    """
    text = "\n".join(getattr(part, "text", "") or f"[{part.type}]" for part in result.content)
    if result.is_error:
        raise ToolError(text or "the tool failed")
    if not text and result.structured_content is not None:
        from isek.tools.function import as_text  # noqa: PLC0415

        return as_text(result.structured_content)
    return text


class _Server:
    """The server as one event loop has it."""

    def __init__(self, where: str, enter: Callable[[AsyncExitStack], Any]) -> None:
        self._where = where
        self._enter = enter
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()

    async def connected(self) -> "_Connection":
        """The connection; a new one where it has broken.

        Raises:
            ToolError: the server cannot be reached.
        """
        async with self._connecting:
            if self._connection is None or not self._connection.alive:
                await self.aclose()
                self._connection = _Connection(self._where, self._enter)
                await self._connection.open()
            return self._connection

    async def aclose(self) -> None:
        """End the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()


class _Connection:
    """A connection, held by a task of its own: what is entered in one task has to be left in it."""

    def __init__(self, where: str, enter: Callable[[AsyncExitStack], Any]) -> None:
        self._where = where
        self._enter = enter
        self._closing = asyncio.Event()
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None
        self._broken = False
        self.looked_at = False
        """Whether it was asked what its tools are."""

    @property
    def alive(self) -> bool:
        """Whether it may be used."""
        return not self._broken and self._task is not None and not self._task.done()

    async def open(self) -> None:
        """Connect.

        Raises:
            ToolError: the server cannot be reached.
        """
        self._task = asyncio.create_task(self._hold())
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await asyncio.shield(self._ready)
        except TimeoutError:
            await self.aclose()
            raise ToolError(f"the MCP server {self._where} did not answer within {CONNECT_SECONDS:g} s") from None
        except asyncio.CancelledError:
            await self.aclose()
            raise
        except Exception as error:
            self._broken = True
            raise ToolError(f"the MCP server {self._where} cannot be reached: {_cause(error)}") from None

    async def list_tools(self) -> "list[Described]":
        """All tools, page by page.

        Raises:
            ToolError: the server cannot be asked, or has no end of pages.
        """
        tools: list[Described] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await self._ask(functools.partial(_page, cursor))
            tools += page.tools
            cursor = page.next_cursor
            if not cursor:
                self.looked_at = True
                return tools
        raise ToolError(f"the MCP server {self._where} has more than {MAX_PAGES} pages of tools")

    async def call(self, tool: str, arguments: dict[str, Any]) -> "CallToolResult":
        """What the tool says."""
        answer: CallToolResult = await self._ask(lambda client: client.call_tool(tool, arguments))
        return answer

    async def aclose(self) -> None:
        """Leave."""
        self._closing.set()
        if self._task is not None:
            if not self._ready.done():
                self._task.cancel()
            await asyncio.wait([self._task])

    async def _ask(self, ask: Callable[["Client"], Any]) -> Any:
        asking = asyncio.ensure_future(ask(self._ready.result()))
        assert self._task is not None  # noqa: S101  (whoever asks has opened it)
        try:
            await asyncio.wait([asking, self._task], return_when=asyncio.FIRST_COMPLETED)
            answer = asking.result() if asking.done() else None
        except Exception as error:
            self._broken = True  # the next call finds out whether it is back
            raise ToolError(f"the MCP server {self._where} could not be asked: {_cause(error)}") from None
        finally:
            asking.cancel()
        if answer is None:
            raise ToolError(f"the MCP server {self._where} went away; it may be back when it is asked again")
        return answer

    async def _hold(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                self._ready.set_result(await self._enter(stack))
                await self._closing.wait()
        except Exception as error:
            if not self._ready.done():
                self._ready.set_exception(error)
        finally:
            self._broken = True


def _risk(described: "Described") -> RiskLevel:
    hints = described.annotations
    if hints is not None and hints.read_only_hint:
        return RiskLevel.LOW
    return RiskLevel.HIGH if hints is not None and hints.destructive_hint else RiskLevel.MEDIUM


async def _page(cursor: str | None, client: "Client") -> "ListToolsResult":
    return await client.list_tools(cursor=cursor, cache_mode="bypass")


def _unavailable(message: str, hint: str) -> RunError:
    return RunError("ToolsUnavailable", message, hint=hint, status=502)


def _cause(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
