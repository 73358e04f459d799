"""Calls of the API server. Kubernetes objects in and out, as dicts.

The generated methods of the ``kubernetes`` package cost twice the CPU of these calls (design, chapter 7); what it is
good at, finding the cluster and its credentials, is left to it.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from isek_operator.cluster.credentials import Credentials
from isek_operator.cluster.errors import ExpiredError, NotActiveError, NotFoundError, UnreachableError, error_from
from isek_operator.decide.outcome import Manifest
from isek_operator.keys import Key
from isek_operator.kinds import ApiKind
from isek_operator.manifests.meta import MANAGER
from isek_operator.metrics import Metrics
from isek_operator.tracing import tracer

CALL_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
CONNECTIONS = 64
CREDENTIAL_SECONDS = 10.0
"""How long a token is used before the credentials are asked again: they read files, and a token may rotate."""
PAGE = 50
"""Objects in one page of a LIST: all of a page is in memory at once, and at start a page of each kind."""

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

NO_SUCH_VERSION = "1"
"""A resource version that no object has: etcd begins with it."""


@dataclass(frozen=True)
class Listing:
    """All objects of a kind at one resource version."""

    items: list[Manifest]
    version: int


class Client:
    """An API server, over a pool of connections. Every method raises the errors of :mod:`.errors`.

    ``may_write`` is asked before each write.
    """

    def __init__(
        self, credentials: Credentials, metrics: Metrics, *, may_write: Callable[[], bool] = lambda: True
    ) -> None:
        self._credentials, self._metrics, self._may_write = credentials, metrics, may_write
        self._session: aiohttp.ClientSession | None = None
        self._authorization: str | None = None
        self._authorized_at = -math.inf

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=self._credentials.ssl_context(), limit=CONNECTIONS, keepalive_timeout=60
            ),
            timeout=CALL_TIMEOUT,
            headers={"User-Agent": MANAGER},
        )
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, kind: ApiKind, namespace: str, name: str) -> Manifest | None:
        """The object, or None."""
        try:
            return await self._call("GET", kind.path(namespace, name))
        except NotFoundError:
            return None

    async def check(self, kind: ApiKind, namespace: str | None = None) -> None:
        """See that the kind can be listed; no namespace: in all namespaces."""
        await self._call("GET", kind.path(namespace), query={"limit": "1"}, accept=METADATA_ONLY, verb="LIST")

    async def list_metadata(self, kind: ApiKind, namespace: str | None = None) -> Listing:
        """The metadata of the objects of a kind that its selector selects; no namespace: of all namespaces.

        Pages that expire while they are turned (410) make it begin again, with all in one page as in client-go.
        """
        selector = {"labelSelector": kind.selector} if kind.selector else {}
        try:
            return await self._pages(kind, namespace, selector | {"limit": str(PAGE)})
        except ExpiredError:
            return await self._pages(kind, namespace, dict(selector))

    async def _pages(self, kind: ApiKind, namespace: str | None, query: dict[str, str]) -> Listing:
        items: list[Manifest] = []
        while True:
            page = await self._call("GET", kind.path(namespace), query=query, accept=METADATA_ONLY, verb="LIST")
            # the items of a list do not say what they are, and an empty list of metadata is null
            found = page.get("items") or ()
            items += ({**item, "apiVersion": kind.api_version, "kind": kind.kind} for item in found)
            query["continue"] = page["metadata"].get("continue", "")
            if not query["continue"]:
                return Listing(items, int(page["metadata"]["resourceVersion"]))

    async def create(self, kind: ApiKind, manifest: Manifest) -> Manifest:
        """POST the object. ConflictError: there is one of that name."""
        path = kind.path(manifest["metadata"]["namespace"])
        return await self._call("POST", path, body=manifest, content_type=JSON, query={"fieldManager": MANAGER})

    async def apply_new(self, kind: ApiKind, manifest: Manifest) -> Manifest:
        """Apply an object that must not exist. ConflictError: there is one of that name, and it was not touched.

        An apply creates what is not there and ignores the resource version then; on what is there, a version that it
        does not have is a conflict. (A POST would not do: its fields count as of an "update", and later applies could
        not remove them.)
        """
        versioned = {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": NO_SUCH_VERSION}}
        return await self._apply(kind, versioned, force=False)

    async def apply(self, kind: ApiKind, manifest: Manifest, *, uid: str) -> Manifest:
        """Apply over the object of that uid, also over what others have written. ConflictError: it is another one."""
        same = {**manifest, "metadata": {**manifest["metadata"], "uid": uid}}
        return await self._apply(kind, same, force=True)

    async def merge(self, kind: ApiKind, key: Key, change: Manifest, *, subresource: str = "") -> Manifest:
        """Merge a change into an object or its subresource (RFC 7386)."""
        path = kind.path(key.namespace, key.name, subresource)
        query = {"fieldManager": MANAGER}
        return await self._call("PATCH", path, body=change, content_type=MERGE_PATCH, query=query)

    async def replace(self, kind: ApiKind, manifest: Manifest) -> Manifest:
        """PUT the object. ConflictError: it is not of the resource version that ``manifest`` names any more."""
        metadata = manifest["metadata"]
        path = kind.path(metadata["namespace"], metadata["name"])
        return await self._call("PUT", path, body=manifest, content_type=JSON, query={"fieldManager": MANAGER})

    async def delete(self, kind: ApiKind, key: Key, *, uid: str, version: str | None = None) -> Manifest:
        """Delete the object of that uid, its dependents in the background.

        ConflictError: it is another one, or not at ``version`` any more.
        """
        preconditions = {"uid": uid} | ({"resourceVersion": version} if version else {})
        options = {"propagationPolicy": "Background", "preconditions": preconditions}
        return await self._call("DELETE", kind.path(key.namespace, key.name), body=options, content_type=JSON)

    def check_active(self, write: str) -> None:
        """Raise NotActiveError unless this operator may write: also before writes that go elsewhere than here."""
        if not self._may_write():
            raise NotActiveError(f"{write} was not sent: this operator is not the active one any more")

    async def _apply(self, kind: ApiKind, manifest: Manifest, *, force: bool) -> Manifest:
        metadata = manifest["metadata"]
        query = {"fieldManager": MANAGER, "force": str(force).lower()}
        path = kind.path(metadata["namespace"], metadata["name"])
        return await self._call("PATCH", path, body=manifest, content_type=APPLY_PATCH, query=query, verb="APPLY")

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "",
        accept: str = JSON,
        verb: str = "",
    ) -> Manifest:
        if method != "GET":
            self.check_active(f"{method} {path}")
        headers = {"Accept": accept}
        if content_type:
            headers["Content-Type"] = content_type
        if authorization := self._authorized():
            headers["Authorization"] = authorization
        data = None if body is None else orjson.dumps(body)
        code, began = "none", time.perf_counter()
        try:
            assert self._session is not None, "the client is used outside of its context"  # noqa: S101
            url = self._credentials.server + path
            with tracer().request(method, url, query, headers) as span:
                async with self._session.request(method, url, params=query, data=data, headers=headers) as answer:
                    code = str(answer.status)
                    parsed = _object(await answer.read())
                span.answered(answer.status)
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UnreachableError(f"{method} {path}: {reason}") from None
        else:
            if answer.status == 401:
                self._authorized_at = -math.inf
            if answer.status >= 400:
                raise error_from(answer.status, parsed, retry_after=answer.headers.get("Retry-After"))
            return parsed
        finally:
            self._metrics.api_calls.labels(verb or method, code).inc()
            self._metrics.api_seconds.labels(verb or method).observe(time.perf_counter() - began)

    def _authorized(self) -> str | None:
        if time.monotonic() - self._authorized_at > CREDENTIAL_SECONDS:
            self._authorization, self._authorized_at = self._credentials.authorization(), time.monotonic()
        return self._authorization


def _object(answer: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(answer)
    except ValueError:
        return {"message": answer.decode(errors="replace")[:300]}
    return parsed if isinstance(parsed, dict) else {}
