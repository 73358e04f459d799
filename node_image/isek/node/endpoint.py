"""What the endpoints that take messages share: a body of bounded size, callers that go away, errors, an end."""

import asyncio
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, TypeVar

from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from isek.errors import CallError, IsekError
from isek.node.host import Host
from isek.protocol import headers
from isek.unexpected import unexpected_error

T = TypeVar("T")
JSON = "application/json"
SMALL_BYTES = 64 * 1024
"""A body is read and parsed at once that is no larger, and says so."""


class Endpoint(ABC):
    """A bare ASGI application: this is the hot path. A caller that goes away takes its run along."""

    def __init__(self, host: Host, max_body_bytes: int) -> None:
        self._host = host
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request = Request(scope, receive)
        try:
            self._check_type(request)
            response = await self._respond(request, receive)
        except ClientDisconnect:
            return
        except IsekError as error:
            response = self._failure(error)
        except asyncio.CancelledError:
            if not self._host.draining:
                raise
            # the server has waited for this run as long as it may
            response = self._failure(
                CallError("NodeStopped", "the node was stopped before it had an answer", status=503)
            )
        except Exception:
            response = self._failure(unexpected_error(scope["path"]))
        response.headers[headers.LOAD] = str(self._host.running)
        if self._host.closing:
            response.headers["Connection"] = "close"
        await response(scope, receive, send)

    @abstractmethod
    async def _respond(self, request: Request, receive: Receive) -> Response:
        """The answer.

        Raises:
            IsekError: there is none.
        """

    @abstractmethod
    def _failure(self, error: IsekError) -> Response:
        """The error in the shape that callers of this endpoint know."""

    def _check_type(self, request: Request) -> None:
        """Let JSON pass alone: what else there is, browsers send on behalf of any web page, without asking first.

        Raises:
            CallError: ``UnsupportedMediaType``.
        """
        check_type(request, JSON)

    async def _read(self, request: Request) -> bytes:
        """The body.

        Raises:
            CallError: ``BodyTooLarge``, before it is read where it says how long it is.
        """
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_body_bytes:
            raise self._too_large()
        chunks: list[bytes] = []
        left = self._max_body_bytes
        async for chunk in request.stream():
            left -= len(chunk)
            if left < 0:
                raise self._too_large()
            chunks.append(chunk)
        return b"".join(chunks)

    def _too_large(self) -> CallError:
        return CallError(
            "BodyTooLarge",
            f"the body is larger than {self._max_body_bytes} bytes",
            hint="send less, or a reference to the data",
            status=413,
        )


def check_type(request: Request, *allowed: str) -> None:
    """Let these media types pass alone, as they are.

    Raises:
        CallError: ``UnsupportedMediaType``.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in allowed:
        raise CallError(
            "UnsupportedMediaType",
            f"the body must be {' or '.join(allowed)}, not {kind or 'of no type'}",
            hint=f"send the header Content-Type: {allowed[0]}",
            status=415,
        )
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise CallError(
            "UnsupportedMediaType",
            "the body must not be compressed: how large it is must be seen before it is read",
            hint="send it without Content-Encoding",
            status=415,
        )


def may_be_large(request: Request) -> bool:
    """Whether its body has more than ``SMALL_BYTES``, or does not say how many."""
    length = request.headers.get("content-length", "")
    return not length.isdecimal() or int(length) > SMALL_BYTES


def said_again(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that begins with the body that was read already."""
    said = False

    async def again() -> Message:
        nonlocal said
        if said:
            return await receive()
        said = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def parse_json(body: bytes) -> Any:
    """What a body says.

    Raises:
        CallError: ``InvalidRequest``.
    """
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise CallError("InvalidRequest", f"the body is not JSON: {error}", status=400) from None
    if _LONG_NUMBER.search(body) and not _is_finite(value):
        raise CallError("InvalidRequest", "a number in the body is larger than any double (RFC 8259, 6)", status=400)
    return value


_LONG_NUMBER = re.compile(rb"[0-9]{300}|[eE]\+?[0-9]{3}")
"""Somewhere in what holds a number that JSON can say, and nobody can say again."""


def _is_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    if not isinstance(value, int | float):
        return True
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
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
