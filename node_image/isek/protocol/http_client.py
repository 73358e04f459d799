"""One HTTP request to another process, and what it means when there is no answer."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from yarl import URL

from isek.errors import CallError
from isek.protocol.steps import BEGINNING, STEPS

CONNECT_SECONDS = 2.0
IDLE_SECONDS = 4.0
"""Nodes close connections that were idle for 5 s: what is taken from the pool must not just be closing."""


@dataclass(frozen=True)
class HttpAnswer:
    """The whole answer, with any status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class HttpStream:
    """An answer that comes bit by bit, with any status."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


OnStep = Callable[[bytes], Awaitable[None]]


class DeliveryUnknownError(CallError):
    """There is no answer, and perhaps it runs all the same: only the same replica may be told again."""


class HttpClient:
    """One connection pool, opened by the first request.

    Args:
        max_answer_bytes: the largest answer that is read.
    """

    def __init__(self, max_answer_bytes: int) -> None:
        self._max_answer_bytes = max_answer_bytes
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        url: URL,
        *,
        to: str,
        headers: Mapping[str, str],
        within: float,
        body: bytes | None = None,
        on_step: OnStep | None = None,
    ) -> HttpAnswer:
        """Send a request and read the answer.

        Args:
            method: of HTTP.
            url: where to.
            to: who is asked, for the messages of errors.
            headers: of the request.
            within: seconds until the end of the answer.
            body: of the request.
            on_step: is given the lines of an answer in the form of :mod:`isek.protocol.steps` as they come, but for
                the last; that is the body then.

        Raises:
            CallError: ``AgentUnreachable`` (retryable when nothing was sent, else ``DeliveryUnknownError``),
                ``DeadlineExceeded``, ``AnswerTooLarge``.
        """
        async with self._answering(method, url, to, headers, within=within, body=body) as answer:
            told = on_step is not None and answer.content_type == STEPS
            read = self._read_steps(answer, to, on_step) if told and on_step else self._read(answer, to)
            return HttpAnswer(answer.status, answer.headers, await read)

    @asynccontextmanager
    async def stream(
        self, method: str, url: URL, *, to: str, headers: Mapping[str, str], within: float, body: bytes | None = None
    ) -> AsyncGenerator[HttpStream]:
        """As :meth:`request`; the answer is read as it comes, however much it is."""
        async with self._answering(method, url, to, headers, within=within, body=body) as answer:
            yield HttpStream(answer.status, answer.headers, answer.content.iter_any())

    @asynccontextmanager
    async def _answering(
        self, method: str, url: URL, to: str, headers: Mapping[str, str], *, within: float, body: bytes | None
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        bounds = aiohttp.ClientTimeout(total=within, sock_connect=CONNECT_SECONDS)
        try:
            async with self._open().request(
                method, url, data=body, headers=headers, timeout=bounds, allow_redirects=False
            ) as answer:
                yield answer
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise _unreachable(CallError, to, url, "cannot be reached", error, retryable=True) from None
        except TimeoutError:
            raise deadline_exceeded(to) from None
        except aiohttp.ClientError as error:
            raise _unreachable(DeliveryUnknownError, to, url, "broke off before it answered", error) from None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _read(self, answer: aiohttp.ClientResponse, to: str) -> bytes:
        body = bytearray()
        if (answer.content_length or 0) > self._max_answer_bytes:
            raise self._too_large(to)
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > self._max_answer_bytes:
                raise self._too_large(to)
        return bytes(body)

    async def _read_steps(self, answer: aiohttp.ClientResponse, to: str, on_step: OnStep) -> bytes:
        line, last = bytearray(), b""
        async for chunk in answer.content.iter_any():
            *ended, rest = chunk.split(b"\n")
            for end in ended:
                line += end
                if line.startswith(BEGINNING):
                    await on_step(bytes(line))
                else:
                    last = bytes(line) or last
                line.clear()
            line += rest
            if len(line) > self._max_answer_bytes:
                raise self._too_large(to)
        return last

    def _too_large(self, to: str) -> CallError:
        return CallError(
            "AnswerTooLarge",
            f"{to} answered with more than {self._max_answer_bytes} bytes",
            hint="ask for less, or for a reference to the data",
        )

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:  # it belongs to the event loop that runs now
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity"},  # what is compressed may be larger than it looks
                auto_decompress=False,
            )
        return self._session


def deadline_exceeded(to: str) -> CallError:
    """There is no answer, and no time left."""
    return CallError("DeadlineExceeded", f"{to} did not answer in the time that was left", status=504)


def _unreachable(
    kind: type[CallError], to: str, url: URL, happened: str, error: Exception, *, retryable: bool = False
) -> CallError:
    reason = str(error) or type(error).__name__
    return kind("AgentUnreachable", f"{to} {happened} at {url.origin()}: {reason}", retryable=retryable)
