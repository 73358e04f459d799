"""The HTTP session that Kopf watches through.

Left to itself Kopf ends the whole operator where a list or a watch is refused, and tells nothing of an empty list.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp

from isek_operator.cluster.credentials import Credentials

LEFT_TO_KOPF = frozenset({401, 403, 429})
"""Refusals that Kopf waits out by itself; as it does with 5xx."""
ERROR = b'{"type":"ERROR"'
GONE = b'{"type":"ERROR","object":{"kind":"Status","code":410}}\n'
"""What makes Kopf begin a watch anew, with a list."""


def session(credentials: Credentials, listed: Callable[[str], None]) -> aiohttp.ClientSession:
    """A session for an API server. ``listed`` is told, by its plural, what a watch begins to list."""

    async def watch_on(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        answer = await handler(request)
        refused = 400 <= answer.status < 500 and answer.status not in LEFT_TO_KOPF
        if "watch" in request.url.query:
            if refused:
                answer.status = 200
            # every error ends a watch, as in client-go: what was missed meanwhile is in the list
            answer.content = _UntilError(answer.content, refused)  # type: ignore[assignment]
        elif refused:
            answer.close()
            raise aiohttp.ClientConnectionError(f"the API server answered {answer.status}")
        elif answer.status == 200 and "continue" not in request.url.query:
            listed(request.url.name)
        return answer

    headers = {"Authorization": authorization} if (authorization := credentials.authorization()) else {}
    connector = aiohttp.TCPConnector(limit=0, ssl=credentials.ssl_context())
    return aiohttp.ClientSession(connector=connector, headers=headers, middlewares=(watch_on,))


class _UntilError:
    """The content of a watch up to the first error, which becomes the one that Kopf understands."""

    def __init__(self, content: aiohttp.StreamReader, refused: bool) -> None:
        self._content, self._refused = content, refused

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """The content in pieces, as ``aiohttp.StreamReader`` has it."""
        if self._refused:
            yield GONE
            return
        begins = True
        async for data in self._content.iter_chunked(size):
            # only at the beginning of a line: an object may hold the same somewhere
            error = 0 if begins and data.startswith(ERROR) else (data.find(b"\n" + ERROR) + 1 or None)
            yield data if error is None else data[:error] + GONE
            if error is not None:
                return
            begins = data.endswith(b"\n")
