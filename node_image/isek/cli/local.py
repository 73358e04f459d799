"""Nodes of a local mesh."""

import random
from http.client import HTTPConnection
from urllib.parse import urlsplit

import click

from isek.cli.http_call import NodeConnection
from isek.cli.meshes import not_found
from isek.cli.run_directory import LocalMesh, LocalNode, RunDirectory


class LocalMeshes:
    """The node processes of ``isek up``."""

    def __init__(self, mesh: LocalMesh, namespace: str) -> None:
        self._mesh = mesh
        self.namespace = namespace

    @classmethod
    def running_in(cls, directory: RunDirectory, namespace: str | None) -> "LocalMeshes":
        """The mesh of a run directory.

        Raises:
            click.ClickException: it is starting still.
        """
        mesh = directory.read()
        if mesh is None:
            raise click.ClickException(f"the local mesh {directory.name!r} is starting; try again in a moment")
        return cls(mesh, namespace or "default")

    def connect_to_agent(self, name: str, namespace: str) -> NodeConnection:
        """Any node that hosts it."""
        nodes = [node for node in self._mesh.nodes if f"{name}.{namespace}" in node.agents]
        if not nodes:
            raise not_found(name, namespace, self._mesh.addresses, "the local mesh")
        return _connect(random.choice(nodes))  # noqa: S311  (spreads load)

    def meshes_in_use(self) -> list[str]:
        """Those that have nodes."""
        return sorted({node.mesh for node in self._mesh.nodes})

    def connect_to_mesh(self, mesh: str) -> NodeConnection:
        """Any node of it."""
        nodes = [node for node in self._mesh.nodes if node.mesh == mesh]
        if not nodes:
            raise click.ClickException(
                f"no node is in mesh {mesh}; there are nodes in {', '.join(self.meshes_in_use())}: "
                "name one with --namespace and --mesh"
            )
        return _connect(random.choice(nodes))  # noqa: S311  (spreads load)


def _connect(node: LocalNode) -> NodeConnection:
    return NodeConnection(f"node {node.node_id}", HTTPConnection(urlsplit(node.url).netloc))
