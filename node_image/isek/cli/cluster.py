"""Nodes in a cluster, reached through the API server by a port-forward of our own."""

from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

import click

from isek.cli.api_server import ApiServer, NotFoundError
from isek.cli.http_call import AnyNode, NodeConnection
from isek.cli.meshes import Hosted, asked_by, asks_for_token, not_found
from isek.cli.token import token

API = "/apis/isek.io/v1alpha1"
HTTP_PORT = 8080
HOSTED = ("isekteams", "isekagents")
"""What answers under a name; the two share one space of names."""
USERS = ("iseknodes", *HOSTED)
"""What has pods."""

Manifest = dict[str, Any]


class ClusterMeshes:
    """The nodes of a cluster."""

    def __init__(self, api_server: ApiServer, namespace: str | None) -> None:
        self._api = api_server
        self.namespace = namespace or api_server.namespace

    def connect_to_agent(self, name: str, namespace: str) -> NodeConnection:
        """A ready pod of the agent or team; else its condition says why there is none."""
        resource = self._find(name, namespace)
        node = next(self._ready_nodes([resource]), None)
        if node is None:
            raise click.ClickException(f"{resource['kind']} {name} is not ready: {_why_not_ready(resource)}")
        return node

    def hosted(self) -> list[Hosted]:
        """The agents and teams, with what their status says."""
        found = [_hosted(each) for plural in HOSTED for each in self._list(plural, self.namespace)]
        return sorted(found, key=lambda each: each.address)

    def meshes_in_use(self) -> list[str]:
        """Those that something in any namespace uses."""
        return _meshes(self._users(None))

    def connect_to_mesh(self, mesh: str) -> AnyNode:
        """Ready pods of what is in the mesh: of its own namespace, or where nothing there uses it, of any other."""
        namespace = mesh.partition("/")[0]
        known = self._users(namespace)
        users = _of_mesh(known, mesh)
        if not users:
            with suppress(click.ClickException):  # whoever may not look there has to do with the one namespace
                users = _of_mesh(self._users(None), mesh)
        if not users:
            used = ", ".join(_meshes(known))
            raise click.ClickException(
                f"nothing in namespace {namespace!r} of {self._api.name} uses mesh {mesh}; "
                + (f"in use: {used}" if used else "see `kubectl get isek`, or all with `isek nodes -A`")
            )
        if token() is not None:
            users.sort(key=lambda user: not asks_for_token(user))

        def nodes() -> Iterator[NodeConnection]:
            node = None
            for node in self._ready_nodes(users):
                yield node
            if node is None:
                reasons = "; ".join(f"{user['metadata']['name']}: {_why_not_ready(user)}" for user in users[:3])
                raise click.ClickException(f"no node of mesh {mesh} is ready: {reasons}")

        return AnyNode(nodes)

    def _find(self, name: str, namespace: str) -> Manifest:
        found = []
        for plural in HOSTED:
            with suppress(NotFoundError):
                found.append(self._api.get(f"{API}/namespaces/{namespace}/{plural}/{quote(name, safe='')}"))
        if not found:
            listed = [each for plural in HOSTED for each in self._list(plural, namespace)]
            known = sorted(f"{each['metadata']['name']}.{namespace}" for each in listed)
            raise not_found(name, namespace, known, self._api.name)
        # of two that want the name, the one that has it
        return max(found, key=lambda each: int(each.get("status", {}).get("readyReplicas") or 0))

    def _users(self, namespace: str | None) -> list[Manifest]:
        return [user for plural in USERS for user in self._list(plural, namespace)]

    def _list(self, plural: str, namespace: str | None) -> list[Manifest]:
        """All of a kind; None: in all namespaces."""
        try:
            listed = self._api.get(f"{API}/namespaces/{namespace}/{plural}" if namespace else f"{API}/{plural}")
        except NotFoundError:
            raise click.ClickException(
                f"{self._api.name} does not know Isek's resources; "
                "`helm install isek charts/isek-operator -n isek-system --create-namespace` installs them"
            ) from None
        items: list[Manifest] = listed["items"]
        return items

    def _ready_nodes(self, resources: list[Manifest]) -> Iterator[NodeConnection]:
        """Of each the newest ready pod: the one that is the least likely to be about to go."""
        places = ((each["metadata"]["namespace"], each.get("status", {}).get("selector")) for each in resources)
        for namespace, selector in dict.fromkeys(places):
            if not selector:
                continue
            pods = self._api.get(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)["items"]
            ready = [pod["metadata"] for pod in pods if _is_ready(pod)]
            if ready:
                newest = max(ready, key=lambda metadata: str(metadata["creationTimestamp"]))
                yield self._forward(namespace, str(newest["name"]))

    def _forward(self, namespace: str, pod: str) -> NodeConnection:
        forward = self._api.forward(namespace, pod, HTTP_PORT)
        connection = HTTPConnection("localhost", HTTP_PORT)
        connection.sock = forward.socket(HTTP_PORT)  # type: ignore[no-untyped-call]

        def why_broken() -> str | None:
            said: str | None = forward.error(HTTP_PORT)  # type: ignore[no-untyped-call]
            return said

        return NodeConnection(f"pod {namespace}/{pod}", connection, why_broken)


def _hosted(resource: Manifest) -> Hosted:
    metadata, status = resource["metadata"], resource.get("status", {})
    namespace = metadata["namespace"]
    shared = (resource["spec"].get("nodeRef") or {}).get("name")
    node = shared or f"{metadata['name']}-{'team' if resource['kind'] == 'IsekTeam' else 'agent'}"
    ready = f"{status.get('readyReplicas') or 0}/{status.get('replicas') or 0}"
    if not status.get("readyReplicas"):
        ready += f"  {_why_not_ready(resource)}"
    address = f"{metadata['name']}.{namespace}"
    return Hosted(address, resource["kind"], asked_by(resource, namespace), (f"{node}.{namespace}",), ready)


def _mesh(user: Manifest) -> str | None:
    found: str | None = user.get("status", {}).get("mesh")
    return found


def _of_mesh(users: list[Manifest], mesh: str) -> list[Manifest]:
    return [user for user in users if _mesh(user) == mesh]


def _meshes(users: list[Manifest]) -> list[str]:
    return sorted({mesh for user in users if (mesh := _mesh(user))})


def _is_ready(pod: Manifest) -> bool:
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", ())}
    return "deletionTimestamp" not in pod["metadata"] and conditions.get("Ready") == "True"


def _why_not_ready(resource: Manifest) -> str:
    conditions = {each["type"]: each for each in resource.get("status", {}).get("conditions", ())}
    for kind in ("Ready", "ResolvedRefs"):
        condition = conditions.get(kind)
        if condition and condition["status"] != "True":
            return f"{condition['reason']}: {condition['message']}"
    if resource.get("status", {}).get("replicas") == 0:
        return "it is scaled to 0; `kubectl scale` gives it pods"
    return "it has no ready pod yet; see `kubectl get isek`"
