"""Where the agents are that a command asks about: a local mesh, or a cluster."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol, TypeVar

import click

from isek.cli.http_call import AnyNode, NodeConnection
from isek.cli.run_directory import DEFAULT_NAME, RunDirectory, name_option
from isek.cli.token import TOKEN_FILE

F = TypeVar("F", bound=Callable[..., Any])


TIMEOUT = click.option(
    "--timeout",
    type=click.FloatRange(min=0.1, max=86400),
    default=300,
    show_default=True,
    help="Seconds to wait for an answer.",
)
CLUSTER_ONLY = "cluster only"
"""The object of a click context whose commands look at no local mesh unless they are told to."""


@dataclass(frozen=True)
class Hosted:
    """An agent or a team, and whom it asks."""

    address: str
    """``<agent>.<namespace>``."""
    kind: str
    asks: tuple[str, ...]
    """Members, and agents that are tools, by address."""
    nodes: tuple[str, ...]
    """Which nodes host it."""
    ready: str
    """How many answer of those that are to, or why none does."""


def asked_by(manifest: dict[str, Any], namespace: str) -> tuple[str, ...]:
    """The addresses that an agent's tools and a team's members name."""
    spec = manifest.get("spec") or {}
    named = [
        each.get(kind) for each in (*spec.get("members", ()), *spec.get("tools", ())) for kind in ("agent", "team")
    ]
    return tuple(f"{each['name']}.{each.get('namespace') or namespace}" for each in named if each)


def asks_for_token(manifest: dict[str, Any]) -> bool:
    """Whether an agent or a team says itself that callers from outside need a token."""
    access = (manifest.get("spec") or {}).get("access") or {}
    return bool((access.get("outside") or {}).get("from") == "Authenticated")


class Meshes(Protocol):
    """A place where agents run."""

    namespace: str
    """Whose agents are meant where none is named."""

    def connect_to_agent(self, name: str, namespace: str) -> NodeConnection:
        """A connection to a node that hosts the agent or team.

        Raises:
            click.ClickException: there is none; says why and what to do.
        """
        ...

    def meshes_in_use(self) -> list[str]:
        """``<namespace>/<name>`` of each mesh that has nodes or is to have some, in all namespaces.

        Raises:
            click.ClickException: one may not look there.
        """
        ...

    def connect_to_mesh(self, mesh: str) -> AnyNode:
        """Connections to any node of the mesh ``<namespace>/<name>``; with a token first to who asks for one, and so
        knows whose it is.

        Raises:
            click.ClickException: there is none; says why and what to do. Perhaps only once it is used.
        """
        ...

    def hosted(self) -> list[Hosted]:
        """The agents and teams of ``namespace``, by address.

        Raises:
            click.ClickException: one may not look there.
        """
        ...


@dataclass(frozen=True)
class Place:
    """The options that say where."""

    local: bool
    name: str
    context: str | None
    namespace: str | None


def place_options(command: F) -> F:
    """Give a command the options of ``Place``, and how it is known there."""
    for option in (
        TOKEN_FILE,
        click.option("-n", "--namespace", help="Namespace; default: the kubeconfig's, or `default`."),
        click.option("--context", help="Ask the cluster of this kubeconfig context."),
        name_option(help="Ask this local mesh, as `isek up --name` called it."),
        click.option("--local", is_flag=True, help="Ask the local mesh, whatever the kubeconfig says."),
    ):
        command = option(command)
    return command


def open_meshes(place: Place) -> Meshes:
    """The local mesh when one runs, else the cluster of the kubeconfig; the options force one or the other.

    Raises:
        click.ClickException: nothing is there; says what to do.
    """
    if place.local and place.context:
        raise click.UsageError("--local and --context exclude each other")
    directory = RunDirectory(place.name)
    local = place.local or place.name != DEFAULT_NAME
    current = click.get_current_context(silent=True)
    beside_kubectl = current is not None and current.find_root().obj == CLUSTER_ONLY
    if not place.context and (local or not beside_kubectl):
        if directory.running_pid() is not None:
            from isek.cli.local import LocalMeshes  # noqa: PLC0415

            return LocalMeshes.running_in(directory, place.namespace)
        if local:
            raise click.ClickException(f"no local mesh {place.name!r} is running; start one with `isek up -f FOLDER`")

    from isek.cli.api_server import ApiServer  # noqa: PLC0415  (the kubernetes package takes its time)
    from isek.cli.cluster import ClusterMeshes  # noqa: PLC0415

    return ClusterMeshes(ApiServer.of_kubeconfig(place.context), place.namespace)


def not_found(name: str, namespace: str, known: list[str], where: str) -> click.ClickException:
    """The error for an agent that does not exist; ``known`` are the addresses that do."""
    message = f"there is no agent or team {name!r} in namespace {namespace!r} of {where}"
    alike = get_close_matches(name, [address.removesuffix(f".{namespace}") for address in known], n=1)
    if alike:
        return click.ClickException(f"{message}; did you mean {alike[0]}?")
    if known:
        return click.ClickException(f"{message}; there are {', '.join(known)}")
    return click.ClickException(f"{message}; there are none: `kubectl apply -f examples/quickstart` makes some")
