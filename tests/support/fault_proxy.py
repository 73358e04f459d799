"""An HTTP proxy before the API server that fails on purpose."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

import aiohttp
from aiohttp import web

HOP_BY_HOP = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}
REASONS = {
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


@dataclass(frozen=True)
class Call:
    """A request of the operator, as the proxy sees it."""

    verb: str
    """get, list, watch, create, apply, merge or delete."""
    path: str
    number: int
    """Among all calls, from 1."""
    write: int
    """Among the writes, from 1; 0: it is a read. Events, which are news and no state, do not count as writes."""
    continued: bool = False
    """Whether it asks for a further page of a list."""

    def __str__(self) -> str:
        return f"{self.verb} {self.path}"


@dataclass(frozen=True)
class Answer:
    """The API server's answer is this status; ``late``: though the call has taken effect."""

    status: int
    late: bool = False
    retry_after: int | None = None

    def __str__(self) -> str:
        return f"{self.status} {'after' if self.late else 'instead of'} its effect"


@dataclass(frozen=True)
class Cut:
    """The connection breaks. ``late``: in the middle of the answer."""

    late: bool = False

    def __str__(self) -> str:
        return "cut in its answer" if self.late else "cut before it was sent on"


@dataclass(frozen=True)
class Kill:
    """The operator is killed. ``late``: when the call has taken effect and before it is answered."""

    late: bool = False

    def __str__(self) -> str:
        return "killed with the answer lost" if self.late else "killed before it was sent on"


Fault = Answer | Cut | Kill


@dataclass(frozen=True)
class Delivery:
    """What becomes of a watch event."""

    copies: int = 1
    """0: it is dropped."""
    delay: float = 0.0
    """Seconds by which it, and what follows it on its watch, comes late."""
    then: str = ""
    """``gone``: the watch ends with 410; ``cut``: the connection breaks; ``end``: it ends as by its timeout."""

    def __str__(self) -> str:
        told = {0: "dropped", 1: "passed on"}.get(self.copies, f"told {self.copies} times")
        return " ".join(filter(None, (told, f"{self.delay:g} s late" if self.delay else "", self.then)))


PASSED_ON = Delivery()


class Schedule(Protocol):
    """Decides which calls and events fail."""

    def fault(self, call: Call) -> Fault | None:
        """What goes wrong with a call; None: nothing."""
        ...

    def delivery(self, call: Call, event: str, path: str) -> Delivery:
        """What becomes of an event of a type (ADDED, MODIFIED, DELETED) about an object."""
        ...

    @property
    def page(self) -> int | None:
        """Objects in a page of a LIST that asks for pages; None: as many as it asks for."""
        ...


class NoFaults:
    """Nothing fails."""

    page: int | None = None

    def fault(self, call: Call) -> Fault | None:
        return None

    def delivery(self, call: Call, event: str, path: str) -> Delivery:
        return PASSED_ON


@dataclass
class FaultProxy:
    """Listens on a free port of 127.0.0.1, as plain HTTP, and sends calls on to an API server."""

    server: str
    ca: Path
    kill: Callable[[], Awaitable[None]]
    """Kills who calls."""
    schedule: Schedule = field(default_factory=NoFaults)
    journal: list[str] = field(default_factory=list)
    """Writes and faults, one line each."""
    writes: int = 0
    writes_done: int = 0
    """Writes that the API server has accepted."""
    calls: int = 0
    port: int = 0

    async def __aenter__(self) -> Self:
        self._began = time.monotonic()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=self.ca), limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"Accept-Encoding": "identity"},
        )
        application = web.Application(client_max_size=2**24)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    def note(self, text: str) -> None:
        """Put a line into the journal."""
        self.journal.append(f"{time.monotonic() - self._began:7.2f} s  {text}")

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        call = self._call(request)
        fault = self.schedule.fault(call)
        if call.write or fault:
            self.note(f"#{call.write or '-'} {call}{f': {fault}' if fault else ''}")
        if fault is not None and not fault.late:
            return await self._fail(request, fault)
        try:
            return await self._pass_on(request, call, fault)
        except (aiohttp.ClientError, OSError):
            return _broken(request)  # the API server has gone, or the operator

    async def _pass_on(self, request: web.Request, call: Call, fault: Fault | None) -> web.StreamResponse:
        if call.verb == "watch":
            return await self._watch(request, call)
        async with self._forward(request, call, await request.read()) as answer:
            body = await answer.read()
        if call.write and answer.status < 300:
            self.writes_done += 1
        if isinstance(fault, Cut):
            return await self._cut_in(request, answer, body)
        if fault is not None:
            return await self._fail(request, fault)
        return web.Response(status=answer.status, body=body, headers=_kept(answer.headers))

    def _call(self, request: web.Request) -> Call:
        verb = _verb(request)
        self.calls += 1
        write = 0
        if request.method != "GET" and "/events" not in request.path:
            self.writes += 1
            write = self.writes
        return Call(verb, request.path, self.calls, write, "continue" in request.query)

    def _forward(self, request: web.Request, call: Call, body: bytes | None = None) -> Any:
        query = dict(request.query)
        if call.verb == "list" and "limit" in query and self.schedule.page is not None:
            query["limit"] = str(self.schedule.page)
        return self._session.request(
            request.method, self.server + request.path, params=query, data=body or None, headers=_kept(request.headers)
        )

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if isinstance(fault, Answer):
            reason = REASONS[fault.status]
            status = {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "reason": reason,
                "code": fault.status,
                "message": f"on purpose: {reason}",
            }
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            return web.json_response(status, status=fault.status, headers=headers)
        if isinstance(fault, Kill):
            await self.kill()
        return _broken(request)

    async def _cut_in(self, request: web.Request, answer: aiohttp.ClientResponse, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers={"Content-Type": "application/json"})
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        return _broken(request, response)

    async def _watch(self, request: web.Request, call: Call) -> web.StreamResponse:
        async with self._forward(request, call) as answer:
            response = web.StreamResponse(status=answer.status, headers=_kept(answer.headers))
            await response.prepare(request)
            async for line in _lines(answer.content):
                delivery = self._delivery(call, line)
                await asyncio.sleep(delivery.delay)
                for _ in range(delivery.copies):
                    await response.write(line)
                if delivery.then == "gone":
                    await response.write(GONE)
                if delivery.then == "cut":
                    await response.write(line[: len(line) // 2])
                    return _broken(request, response)
                if delivery.then:
                    break
        return response

    def _delivery(self, call: Call, line: bytes) -> Delivery:
        event = json.loads(line)
        if event["type"] not in {"ADDED", "MODIFIED", "DELETED"}:
            return PASSED_ON
        name = f"{call.path}/{event['object']['metadata']['name']}"
        delivery = self.schedule.delivery(call, event["type"], name)
        if delivery != PASSED_ON:
            self.note(f"   {event['type']} {name}: {delivery}")
        return delivery


GONE = (
    json.dumps(
        {
            "type": "ERROR",
            "object": {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410},
        }
    ).encode()
    + b"\n"
)


def _verb(request: web.Request) -> str:
    if request.method == "GET":
        if "watch" in request.query:
            return "watch"
        return "list" if "limit" in request.query or not _named(request.path) else "get"
    if request.method == "PATCH":
        return "apply" if "apply-patch" in request.content_type else "merge"
    return {"POST": "create", "PUT": "replace", "DELETE": "delete"}[request.method]


def _named(path: str) -> bool:
    """Whether a path below a namespace names an object: …/namespaces/NAMESPACE/PLURAL/NAME."""
    _, _, rest = path.partition("/namespaces/")
    return rest.count("/") >= 2


def _kept(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}


def _broken(request: web.Request, response: web.StreamResponse | None = None) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return response or web.Response()


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    buffer = b""
    async for data in content.iter_any():
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            yield line + b"\n"
