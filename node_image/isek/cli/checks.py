"""What of this machine Isek needs or can use: what is there, and how to come by what is not."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path
from typing import Any, Literal

import click

from isek import __version__
from isek.environment import API_KEY, BASE_URL, variable
from isek.processes.errors import LocalError

PACKAGE = "isek-operator"
PYTHON = (3, 11)
CLUSTER_SECONDS = 1.0
API_GROUP = "isek.io"
PORTS = (8080, 2378)
"""Of a ``Node`` and of ``isek registry``."""

State = Literal["ok", "missing", "note"]


@dataclass(frozen=True)
class Finding:
    """What a check found."""

    name: str
    state: State
    """``missing``: agents cannot run without it. ``note``: good to know."""
    said: str
    fix: str = ""
    """What a person can do."""
    command: tuple[str, ...] = ()
    """What ``isek setup`` can do."""


Check = Callable[[], Finding]


def python() -> Finding:
    """The interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON:
        wanted = ".".join(map(str, PYTHON))
        return Finding("Python", "missing", f"{version} is too old", f"install Python {wanted} or newer")
    return Finding("Python", "ok", f"{version}, {sys.prefix}")


def packages() -> Finding:
    """The Python packages that agents and nodes need."""
    missing = [requirement for requirement in requirements("node") if not _installed(requirement)]
    if missing:
        return Finding(
            "Python packages",
            "missing",
            f"not installed: {', '.join(map(_name, missing))}",
            "`isek setup` installs them",
            (*installer(), *missing),
        )
    return Finding("Python packages", "ok", f"all that agents and nodes need, {PACKAGE} {__version__}")


def node_js() -> Finding:
    """Node.js, for the sidecar."""
    from isek.processes.programs import find_node  # noqa: PLC0415

    try:
        node = find_node()
    except LocalError as error:
        said, _, fix = str(error).partition("; ")
        brought = [each for each in requirements("local") if each not in set(requirements("node"))]
        return Finding("Node.js", "missing", said, fix, (*installer(), *brought))
    shown = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return Finding("Node.js", "ok", f"{shown.removeprefix('v')}, {node}")


def sidecar() -> Finding:
    """The libp2p sidecar, in one file."""
    from isek.processes.programs import find_bundle  # noqa: PLC0415

    try:
        return Finding("libp2p sidecar", "ok", str(find_bundle()))
    except LocalError as error:
        said, _, _ = str(error).partition("; ")
    checkout = Path(__file__).parents[3]
    if not (checkout / "p2p" / "package.json").is_file():
        return Finding("libp2p sidecar", "missing", said, f"install {PACKAGE} from a wheel that `make wheel` has made")
    return Finding("libp2p sidecar", "missing", said, command=("make", "-C", str(checkout), "setup"))


def state_folder() -> Finding:
    """Where local meshes keep their files."""
    from isek.processes.local_mesh import state_folder as find  # noqa: PLC0415

    folder = find()
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK)):
        return Finding(
            "state folder", "missing", f"{nearest} cannot be written to", "set XDG_STATE_HOME to a folder that can"
        )
    return Finding("state folder", "ok", str(folder))


def model() -> Finding:
    """Whether something leads to a model. Values are nobody's business."""
    known = [name for name in (API_KEY, BASE_URL) if variable(name)]
    if not known:
        return Finding(
            "model", "note", f"neither {API_KEY} nor {BASE_URL} is set", f"export {API_KEY}=…, or use EchoModel"
        )
    return Finding("model", "ok", " and ".join(known) + (" are set" if len(known) > 1 else " is set"))


def ports() -> Finding:
    """The ports that things listen on where nothing else is said."""
    taken = [port for port in PORTS if not _free(port)]
    if taken:
        said = ", ".join(map(str, taken))
        return Finding("ports", "note", f"in use: {said}", "choose others: Node(port=0), `isek registry --port 0`")
    return Finding("ports", "ok", " and ".join(map(str, PORTS)) + " are free")


def cluster() -> Finding:
    """The cluster of the kubeconfig, and whether it knows Isek's resources."""
    from isek.cli.api_server import NO_LOCAL_MESH, ApiServer, NotFoundError  # noqa: PLC0415  (the kubernetes package takes its time)

    try:
        server = ApiServer.of_kubeconfig(None)
        version = server.get("/version", within=CLUSTER_SECONDS)["gitVersion"]
        try:
            group: dict[str, Any] = server.get(f"/apis/{API_GROUP}", within=CLUSTER_SECONDS)
        except NotFoundError:
            return Finding(
                "cluster",
                "note",
                f"{server.name}, Kubernetes {version}, does not know Isek's resources",
                "install the operator: helm install isek charts/isek-operator -n isek-system --create-namespace",
            )
    except click.ClickException as error:
        said, _, fix = error.message.removeprefix(NO_LOCAL_MESH).partition("; ")
        return Finding("cluster", "note", said, fix)
    served = ", ".join(each["groupVersion"] for each in group["versions"])
    return Finding("cluster", "ok", f"{server.name}, Kubernetes {version}, {served}")


CHECKS: tuple[Check, ...] = (python, packages, node_js, sidecar, state_folder, model, ports, cluster)
"""All of them, what is needed most first."""


def look_around() -> list[Finding]:
    """What all checks find."""
    return [check() for check in CHECKS]


def requirements(extra: str) -> Iterator[str]:
    """What an extra of this package asks for, as its metadata has it, without our own other extras.

    By themselves, since an index that is asked for our package by its name may have another of that name.
    """
    for line in requires(PACKAGE) or ():
        requirement, _, marker = (part.strip() for part in line.partition(";"))
        if re.search(f"extra == ['\"]{extra}['\"]", marker) and _name(requirement) != PACKAGE:
            yield requirement


def installer() -> tuple[str, ...]:
    """What installs packages into this environment: its pip, else uv."""
    from importlib.util import find_spec  # noqa: PLC0415

    if find_spec("pip") is not None:
        return (sys.executable, "-m", "pip", "install")
    return ("uv", "pip", "install", "--python", sys.executable)


def _installed(requirement: str) -> bool:
    try:
        distribution(_name(requirement))
    except PackageNotFoundError:
        return False
    return True


def _name(requirement: str) -> str:
    return re.split(r"[^-A-Za-z0-9._]", requirement, maxsplit=1)[0]


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
