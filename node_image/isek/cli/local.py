"""Nodes of a local mesh."""

import random
from contextlib import suppress
from functools import cached_property
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import click

from isek.cli.http_call import AnyNode, NodeConnection
from isek.cli.meshes import Hosted, asked_by, asks_for_token, not_found
from isek.cli.run_directory import LocalMesh, LocalNode, RunDirectory
from isek.cli.token import token


class LocalMeshes:
    """The node processes of ``isek up``."""

    def __init__(self, mesh: LocalMesh, namespace: str, directory: RunDirectory) -> None:
        self._mesh = mesh
        self.namespace = namespace
        self._directory = directory

    @classmethod
    def running_in(cls, directory: RunDirectory, namespace: str | None) -> "LocalMeshes":
        """The mesh of a run directory.

        Raises:
            click.ClickException: it is starting still.
        """
        mesh = directory.read()
        if mesh is None:
            raise click.ClickException(f"the local mesh {directory.name!r} is starting; try again in a moment")
        return cls(mesh, namespace or "default", directory)

    def connect_to_agent(self, name: str, namespace: str) -> NodeConnection:
        """Any node that hosts it."""
        nodes = [node for node in self._mesh.nodes if f"{name}.{namespace}" in node.agents]
        if not nodes:
            raise not_found(name, namespace, self._mesh.addresses, "the local mesh")
        return _connect(random.choice(nodes))  # noqa: S311  (spreads load)

    def hosted(self) -> list[Hosted]:
        """What the nodes host, with what their files say of it."""
        found = []
        for address in self._mesh.addresses:
            if address.partition(".")[2] != self.namespace:
                continue
            nodes = tuple(sorted(node.node_id for node in self._mesh.nodes if address in node.agents))
            manifest = self._manifests.get(address, {})
            asks = asked_by(manifest, self.namespace)
            found.append(Hosted(address, manifest.get("kind", "Python"), asks, nodes, f"{len(nodes)}/{len(nodes)}"))
        return found

    def meshes_in_use(self) -> list[str]:
        """Those that have nodes."""
        return sorted({node.mesh for node in self._mesh.nodes})

    def connect_to_mesh(self, mesh: str) -> AnyNode:
        """Its nodes, in any order."""
        nodes = [node for node in self._mesh.nodes if node.mesh == mesh]
        if not nodes:
            raise click.ClickException(
                f"no node is in mesh {mesh}; there are nodes in {', '.join(self.meshes_in_use())}: "
                "name one with --namespace and --mesh"
            )
        random.shuffle(nodes)  # spreads load
        if token() is not None:
            nodes.sort(key=lambda node: not any(asks_for_token(self._manifests.get(each, {})) for each in node.agents))
        return AnyNode(lambda: map(_connect, nodes))

    @cached_property
    def _manifests(self) -> dict[str, Any]:
        """The resources that the nodes read, by address."""
        import yaml  # noqa: PLC0415

        found: dict[str, Any] = {}
        for node in self._mesh.nodes:
            with suppress(OSError, yaml.YAMLError):
                documents = yaml.safe_load_all(self._directory.hosted_file(node.node_id).read_text())
                for each in filter(None, documents):
                    namespace = each["metadata"].get("namespace") or node.node_id.rpartition(".")[2]
                    found[f"{each['metadata']['name']}.{namespace}"] = each
        return found


def _connect(node: LocalNode) -> NodeConnection:
    return NodeConnection(f"node {node.node_id}", HTTPConnection(urlsplit(node.url).netloc))
