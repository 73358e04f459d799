"""A small client of the Kubernetes API for tests: dicts in, dicts out, and waiting on conditions."""

import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from tests.support.waiting import until

Object = dict[str, Any]

AGGREGATED_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class KubeError(Exception):
    """The API server said no: ``code`` (HTTP), ``reason`` (CamelCase) and its message."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code, self.reason, self.message = code, reason, message


class Resource(NamedTuple):
    """Where a kind is served."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    listed: bool

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        root = "/apis/" if "/" in self.api_version else "/api/"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return "/".join(part for part in (f"{root}{self.api_version}{scope}/{self.plural}", name, subresource) if part)


Resources = list[Resource]


class KubeClient:
    """Reads and writes objects of one namespace (and cluster-scoped ones). Kinds are named as in manifests."""

    def __init__(
        self, session: aiohttp.ClientSession, *, namespace: str = "default", known: Resources | None = None
    ) -> None:
        self.namespace = namespace
        self._session = session
        self._known: Resources = [] if known is None else known

    def in_namespace(self, namespace: str) -> "KubeClient":
        """Return the same client for another namespace."""
        return KubeClient(self._session, namespace=namespace, known=self._known)

    async def apply(self, *objects: Mapping[str, Any], manager: str = "test", force: bool = True) -> Object:
        """Apply objects in order (server-side); return the last as the server has it."""
        applied: Object = {}
        for wish in objects:
            path = await self._path_of(wish)
            query = {"fieldManager": manager, "force": str(force).lower(), "fieldValidation": "Strict"}
            applied = await self._call("PATCH", path, wish, "application/apply-patch+yaml", query)
        return applied

    async def create(self, wish: Mapping[str, Any]) -> Object:
        path = await self._path_of(wish)
        return await self._call(
            "POST", path.rpartition("/")[0], wish, "application/json", {"fieldValidation": "Strict"}
        )

    async def get(self, kind: str, name: str) -> Object:
        """Raise ``KubeError`` with code 404 when it is not there."""
        return await self._call("GET", await self._path(kind, name))

    async def find(self, kind: str, name: str) -> Object | None:
        """Like ``get``, with None for what is not there."""
        try:
            return await self.get(kind, name)
        except KubeError as error:
            if error.code == 404:
                return None
            raise

    async def list(self, kind: str, *, labels: str = "", all_namespaces: bool = False) -> list[Object]:
        """Return the objects of a kind; ``labels`` is a selector as kubectl's ``-l`` takes it."""
        resource = await self._resource(kind)
        path = resource.path(None if all_namespaces else self.namespace)
        answer = await self._call("GET", path, query={"labelSelector": labels} if labels else {})
        return [{"apiVersion": resource.api_version, "kind": resource.kind, **item} for item in answer["items"]]

    async def listed_kinds(self) -> tuple[str, ...]:
        """Return all kinds of namespaced objects that can be listed."""
        await self._discover_all()
        return tuple(dict.fromkeys(kind.kind for kind in self._known if kind.namespaced and kind.listed))

    async def patch(self, kind: str, name: str, change: Mapping[str, Any], *, subresource: str = "") -> Object:
        """Merge a change into an object or its subresource (RFC 7386), as somebody with ``kubectl edit`` would."""
        path = await self._path(kind, name, subresource)
        return await self._call("PATCH", path, change, "application/merge-patch+json", {"fieldManager": "kubectl-edit"})

    async def delete(
        self, kind: str, name: str, *, propagation: str = "Background", grace_seconds: int | None = None, uid: str = ""
    ) -> None:
        """Delete an object; with a uid only that very one."""
        path = await self._path(kind, name)
        options: Object = {"propagationPolicy": propagation}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        if uid:
            options["preconditions"] = {"uid": uid}
        await self._call("DELETE", path, options, "application/json")

    async def watch(self, kind: str, *, labels: str = "") -> AsyncIterator[tuple[str, Object]]:
        """Tell ``ADDED`` for each object of all namespaces, then what becomes of them; ends after an hour."""
        path = (await self._resource(kind)).path(None)
        query = {"watch": "true", "timeoutSeconds": "3600", "labelSelector": labels}
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(path, params=query, timeout=timeout, read_bufsize=2**22) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                event = json.loads(line)
                yield event["type"], event["object"]

    async def until_exists(self, kind: str, name: str, *, within: float = 10) -> Object:
        return await until(lambda: self.find(kind, name), within=within, what=f"{kind} {name!r} exists")

    async def until_gone(self, kind: str, name: str, *, within: float = 10) -> None:
        async def gone() -> bool:
            return await self.find(kind, name) is None

        await until(gone, within=within, what=f"{kind} {name!r} is gone")

    async def until_made_anew(self, before: Object, *, within: float = 10) -> Object:
        """Wait until another object has the kind and name of one that was there before."""
        metadata = before["metadata"]

        def another(found: Object) -> bool:
            return bool(found["metadata"]["uid"] != metadata["uid"])

        return await self.until_true(before["kind"], metadata["name"], another, what="is another one", within=within)

    async def until_true(
        self, kind: str, name: str, condition: Callable[[Object], Any], *, what: str, within: float = 10
    ) -> Object:
        """Wait until the object exists and ``condition(object)`` is true; a field that is missing or null: not yet."""

        async def met() -> Object | None:
            found = await self.find(kind, name)
            assert found is not None, f"there is no {kind} {name!r}"
            assert condition(found), found.get("status") or found.get("spec")
            return found

        return await until(met, within=within, what=f"{kind} {name!r} {what}", retry_on=(LookupError, TypeError))

    async def until_condition(
        self, kind: str, name: str, type_: str, status: str = "True", *, reason: str | None = None, within: float = 10
    ) -> Object:
        """Wait until ``status.conditions`` holds that type, for the object's present generation."""

        def met(found: Object) -> bool:
            generation = found["metadata"].get("generation")
            return any(
                condition["type"] == type_
                and condition["status"] == status
                and reason in (None, condition.get("reason"))
                and condition.get("observedGeneration", generation) == generation
                for condition in found["status"]["conditions"]
            )

        wish = f"{type_}={status}" + (f" ({reason})" if reason else "")
        return await self.until_true(kind, name, met, what=f"has {wish}", within=within)

    async def mark_ready(self, kind: str, name: str) -> Object:
        """Write the status that the workload controllers, which run no pods here, would write once all pods are ready.

        For a Deployment or a StatefulSet.
        """
        found = await self.get(kind, name)
        replicas = found["spec"].get("replicas", 1)
        counts = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas", "updatedReplicas"), replicas)
        status: Object = {"observedGeneration": found["metadata"]["generation"], **counts}
        if kind == "Deployment":
            status["conditions"] = [{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}]
        return await self.patch(kind, name, {"status": status}, subresource="status")

    async def token(self, service_account: str) -> str:
        """Return a token of a service account, good for an hour (TokenRequest)."""
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        }
        path = await self._path("ServiceAccount", service_account, "token")
        answer = await self._call("POST", path, request, "application/json")
        return str(answer["status"]["token"])

    async def _path(self, kind: str, name: str, subresource: str = "") -> str:
        return (await self._resource(kind)).path(self.namespace, name, subresource)

    async def _path_of(self, wish: Mapping[str, Any]) -> str:
        resource = await self._resource(wish["kind"], wish["apiVersion"])
        return resource.path(wish["metadata"].get("namespace", self.namespace), wish["metadata"]["name"])

    async def _resource(self, kind: str, api_version: str | None = None) -> Resource:
        async def served() -> Resource | None:
            await self._discover_all()
            return self._find(kind, api_version)

        if (found := self._find(kind, api_version)) is not None:
            return found
        # a resource definition that was just applied is served a moment later
        return await until(served, within=5, what=f"the API server serves {api_version or ''} {kind}")

    def _find(self, kind: str, api_version: str | None) -> Resource | None:
        return next((r for r in self._known if r.kind == kind and api_version in (None, r.api_version)), None)

    async def _discover_all(self) -> None:
        self._known[:] = [*await self._discover("/api"), *await self._discover("/apis")]

    async def _discover(self, root: str) -> Resources:
        answer = await self._call("GET", root, accept=AGGREGATED_DISCOVERY)
        return [
            Resource(
                api_version="/".join(part for part in (group["metadata"].get("name"), version["version"]) if part),
                kind=resource["responseKind"]["kind"],
                plural=resource["resource"],
                namespaced=resource["scope"] == "Namespaced",
                listed="list" in resource["verbs"],
            )
            for group in answer["items"]
            for version in group["versions"]
            for resource in version.get("resources", [])
        ]

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        content_type: str = "",
        query: Mapping[str, str] | None = None,
        *,
        accept: str = "application/json",
    ) -> Object:
        headers = {"Accept": accept} | ({"Content-Type": content_type} if content_type else {})
        data = None if body is None else json.dumps(body)
        async with self._session.request(method, path, data=data, headers=headers, params=query) as answer:
            parsed: Object = await answer.json(content_type=None)
            if answer.status >= 400:
                raise KubeError(answer.status, parsed.get("reason", ""), parsed.get("message", ""))
            return parsed


@asynccontextmanager
async def kube_client(url: str, *, ca: Path, token: str, namespace: str = "default") -> AsyncIterator[KubeClient]:
    """Connect to an API server as the owner of a token."""
    async with aiohttp.ClientSession(
        url,
        headers={"Authorization": f"Bearer {token}"},
        connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ca)),
        timeout=aiohttp.ClientTimeout(total=30),
    ) as session:
        yield KubeClient(session, namespace=namespace)
