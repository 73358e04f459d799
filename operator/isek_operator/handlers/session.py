"""The HTTP session that Kopf lists and watches through; what it is told is taken off the wire.

Kopf logs in, lists, watches, and begins anew when a watch ends or is too old. What it does for each object after
that, a queue, a task, a memory and three loggers, serves handlers that we do not have: it was a third of the processor
time of a burst, and 2 KiB an object. So the responses of this session (Kopf, "Custom HTTP sessions") hand the objects
over, and leave Kopf what it resumes a watch by: the resource versions.

And left to itself Kopf ends the whole operator where a list or a watch is refused.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Protocol

import aiohttp
import orjson

from isek_operator.cluster.credentials import Credentials
from isek_operator.decide.outcome import Manifest
from isek_operator.keys import Key, key_of
from isek_operator.kinds import BY_PLURAL, ApiKind
from isek_operator.manifests.meta import MANAGER

LEFT_TO_KOPF = frozenset({401, 403, 429})
"""Refusals that Kopf waits out by itself; as it does with 5xx."""
GONE = b'{"type":"ERROR","object":{"kind":"Status","code":410}}\n'
"""What makes Kopf begin a watch anew, with a list."""


class Sink(Protocol):
    """What becomes of the objects."""

    def observed(self, manifest: Manifest) -> None:
        """An object is there, as given."""

    def gone(self, key: Key, version: int) -> None:
        """An object is gone, as of that resource version."""

    def listed(self, kind: ApiKind, namespace: str | None, present: Iterable[Key], version: int) -> None:
        """A kind was listed, in a namespace or in all, and held these: each was ``observed`` before."""


class Wire:
    """Makes the sessions for an API server, one after each login. A list may begin in one and end in the next."""

    def __init__(self, credentials: Credentials, sink: Sink) -> None:
        self._credentials, self._sink = credentials, sink
        self._present: dict[str, list[Key]] = {}
        """By path, what the pages of a list that is under way held so far."""

    def session(self) -> aiohttp.ClientSession:
        """A session with the credentials of now."""
        wire, authorization = self, self._credentials.authorization()

        class Response(aiohttp.ClientResponse):
            async def json(self, **_: Any) -> Any:
                content = orjson.loads(await self.read())
                continued = "continue" in self.url.query
                return wire.take_out(self.url.path, content, continued) if self.status == 200 else content

        # within a cluster the network is faster than compression, on both sides of it
        headers = {"User-Agent": MANAGER, "Accept-Encoding": "identity"}
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._credentials.ssl_context()),
            headers=headers | ({"Authorization": authorization} if authorization else {}),
            middlewares=(self._watch_on,),
            response_class=Response,
        )

    async def _watch_on(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        answer = await handler(request)
        refused = 400 <= answer.status < 500 and answer.status not in LEFT_TO_KOPF
        if "watch" in request.url.query:
            if refused:
                answer.status = 200
            answer.content = _Watch(answer.content, self._sink, refused)  # type: ignore[assignment]
        elif refused:
            answer.close()
            # a page that has expired is not asked for again: the list begins anew; all else is, also what is served
            expired = answer.status == 410 and "continue" in request.url.query
            kind = aiohttp.ClientPayloadError if expired else aiohttp.ClientConnectionError
            raise kind(f"the API server answered {answer.status}")
        else:
            try:
                await answer.read()  # here, where Kopf tries again what breaks
            except aiohttp.ClientPayloadError as error:
                raise aiohttp.ClientConnectionError(f"the answer broke off: {error}") from None
        return answer

    def take_out(self, path: str, content: Any, continued: bool) -> Any:
        """A page of a list without its objects, which go to the sink; other content as it is."""
        subject = _subject(path)
        if subject is None or "items" not in content:
            return content
        if not continued:
            self._present[path] = []
        items = content["items"] or []
        while items:
            item = items.pop()  # let go of at once: what is kept of it is small
            # the items of a list do not say what they are
            manifest = {**item, "apiVersion": subject[0].api_version, "kind": subject[0].kind}
            self._sink.observed(manifest)
            self._present[path].append(key_of(manifest))
        if not content["metadata"].get("continue"):
            self._sink.listed(*subject, self._present.pop(path), int(content["metadata"]["resourceVersion"]))
        return {**content, "items": []}


def _subject(path: str) -> tuple[ApiKind, str | None] | None:
    """Which kind is listed at this path, and in which namespace (None: in all); None: nothing is."""
    *_, above, name, plural = ("", "", *path.split("/"))
    kind = BY_PLURAL.get(plural)
    return (kind, name if above == "namespaces" else None) if kind else None


class _Watch:
    """The content of a watch, with bookmarks in place of the events that were taken out of it.

    It ends at the first error, which becomes the one that Kopf understands. Every error ends a watch, as in client-go:
    what is missed meanwhile is in the list that follows.
    """

    def __init__(self, content: aiohttp.StreamReader, sink: Sink, refused: bool) -> None:
        self._content, self._sink, self._refused = content, sink, refused

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """The content in pieces, as ``aiohttp.StreamReader`` has it."""
        if self._refused:
            yield GONE
            return
        rest = b""
        async for data in self._content.iter_chunked(size):
            *lines, rest = (rest + data).split(b"\n")
            version, ends = self._take_in(filter(None, lines))
            if version:
                yield orjson.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}) + b"\n"
            if ends:
                yield GONE
                return

    def _take_in(self, lines: Iterable[bytes]) -> tuple[str, bool]:
        """The resource version up to which all was told, and whether the watch ends there."""
        version = ""
        for line in lines:
            event = orjson.loads(line)
            type_, manifest = event["type"], event["object"]
            if type_ == "ERROR":
                return version, True
            version = manifest["metadata"]["resourceVersion"]
            if type_ == "DELETED":
                self._sink.gone(key_of(manifest), int(version))
            elif type_ != "BOOKMARK":
                self._sink.observed(manifest)
        return version, False
