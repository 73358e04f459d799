"""Where agents are asked: A2A and the plain form on one path."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from isek.asking import Answer
from isek.errors import CallError, IsekError
from isek.node.caller import SharedToken, call_context
from isek.node.host import Host, unexpected_error
from isek.node.plain import PlainAnswer, PlainFailure, read_plain_request
from isek.protocol import headers
from isek.protocol.a2a import A2A

JSON = "application/json"
T = TypeVar("T")


class AskEndpoint:
    """``POST /`` and ``POST /agents/{name}``, as a bare ASGI application: this is the hot path.

    A caller that goes away takes its run along.
    """

    def __init__(self, host: Host, a2a: A2A, token: SharedToken, max_body_bytes: int) -> None:
        self._host = host
        self._a2a = a2a
        self._token = token
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        try:
            response = await self._respond(Request(scope, receive), receive)
        except ClientDisconnect:
            return
        except IsekError as error:
            response = failure(error)
        except asyncio.CancelledError:
            if not self._host.draining:
                raise
            # the server has waited for this run as long as it may
            response = failure(CallError("Draining", "the node was stopped before it had an answer", status=503))
        except Exception:
            response = failure(unexpected_error(scope["path"]))
        response.headers[headers.LOAD] = str(self._host.running)
        if self._host.closing:
            response.headers["Connection"] = "close"
        await response(scope, receive, send)

    async def _respond(self, request: Request, receive: Receive) -> Response:
        body = await self._read(request)
        name = self._host.find(request.path_params.get("name")).name
        context, path = call_context(request.headers, self._token)
        try:
            content = from_json(body)
        except ValueError as error:
            raise CallError("InvalidRequest", f"the body is not JSON: {error}", status=400) from None

        async def answer(message: str, session_id: str | None) -> Answer:
            return await self._host.answer(name, message, replace(context, session_id=session_id), path=path)

        if isinstance(content, list) or (isinstance(content, dict) and "jsonrpc" in content):
            again = Request(request.scope, _said_again(body, receive))
            return await _while_connected(receive, (await self._a2a.server()).respond(again, answer))
        asked = read_plain_request(content)
        answered = PlainAnswer.of(await _while_connected(receive, answer(asked.message, asked.session_id)))
        return Response(answered.model_dump_json(by_alias=True, exclude_none=True), media_type=JSON)

    async def _read(self, request: Request) -> bytes:
        chunks: list[bytes] = []
        left = self._max_body_bytes
        async for chunk in request.stream():
            left -= len(chunk)
            if left < 0:
                raise CallError("BodyTooLarge", f"the body is larger than {self._max_body_bytes} bytes", status=413)
            chunks.append(chunk)
        return b"".join(chunks)


def failure(error: IsekError) -> Response:
    """The error in the one shape that errors have."""
    return Response(
        PlainFailure.of(error).model_dump_json(by_alias=True, exclude_none=True),
        status_code=error.status,
        media_type=JSON,
        headers=headers.retry_after(error.status),
    )


async def _while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` returns, unless the caller goes away before; then it is cancelled.

    Raises:
        ClientDisconnect: the caller went away.
    """
    working, leaving = asyncio.create_task(work), asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _said_again(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that begins with the body that was read already."""
    said = False

    async def again() -> Message:
        nonlocal said
        if said:
            return await receive()
        said = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
