"""``isek chat --web``: the chat page of a local mesh."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from isek.cli.meshes import Place, not_found
from isek.cli.run_directory import LocalMesh, RunDirectory
from isek.cli.token import token, token_file

MODULE = "isek_ui"
ENVIRONMENT = "ui"
"""The folder below the environment of this command: the page's libraries and a node's fit no one environment."""


def serve_page(place: Place, target: str | None, port: int) -> None:
    """Become the chat page, which serves until Ctrl-C.

    Raises:
        click.ClickException: it is not installed, or there is nobody to talk with; says what to do.
    """
    directory = RunDirectory(place.name)
    mesh = None if place.context else directory.read()
    if mesh is None:
        raise click.ClickException(
            f"no local mesh {place.name!r} is running; start one with `isek up -f FOLDER`. "
            "On a cluster the page is part of the chart: see ui.enabled"
        )
    told = {
        "NODES": ",".join(node.url for node in mesh.nodes),
        "DATA": str(directory.path / "chat"),
        "PORT": str(port),
    }
    if target is not None:
        told["AGENT"] = _address(mesh, target, place.namespace or "default")
    if (file := token_file()) is not None:
        told["TOKEN_FILE"] = str(file.absolute())
    elif (shown := token()) is not None:
        told["TOKEN"] = shown
    python = _page_python()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ISEK_UI_")}
    environment |= {f"ISEK_UI_{name}": value for name, value in told.items()}
    os.execve(python, [str(python), "-m", MODULE], environment)  # noqa: S606


def _address(mesh: LocalMesh, target: str, namespace: str) -> str:
    name, _, named = target.partition(".")
    address = f"{name}.{named or namespace}"
    if address not in mesh.addresses:
        raise not_found(name, named or namespace, mesh.addresses, "the local mesh")
    return address


def _page_python() -> Path:
    """The interpreter that has what the page needs."""
    if find_spec("chainlit") is not None:
        return Path(sys.executable)
    folder = Path(sys.prefix) / ENVIRONMENT
    python = folder / "bin" / "python"
    if not python.exists():
        raise click.ClickException(
            "the chat page is not installed. It has an environment of its own: in the source tree `make ui`, elsewhere "
            f"`{sys.executable} -m venv {folder} && {folder}/bin/pip install '<the wheel>[ui]'`"
        )
    return python
