"""The run directory of a local mesh: what ``isek up`` writes there, and what other commands read of it."""

import fcntl
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from isek.processes.local_mesh import NETWORK_KEYS, STATE_FILE, state_folder

DEFAULT_NAME = "local"


def checked_name(_context: click.Context, _option: click.Parameter, name: str) -> str:
    """A name that is a folder of its own below the others (a click callback)."""
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name):
        raise click.BadParameter("a name is made of a-z, 0-9 and -")
    return name


name_option = partial(click.option, "--name", default=DEFAULT_NAME, show_default=True, callback=checked_name)
"""The option that names a local mesh; takes ``help``."""


@dataclass(frozen=True)
class LocalNode:
    """A node process."""

    node_id: str
    url: str
    agents: tuple[str, ...]
    """Addresses, ``<agent>.<namespace>``."""
    mesh: str
    """``<namespace>/<name>``, as in the status of a resource."""

    def to_json(self) -> dict[str, Any]:
        """The node as it stands in the state file."""
        return {"nodeId": self.node_id, "url": self.url, "agents": list(self.agents), "mesh": self.mesh}


@dataclass(frozen=True)
class LocalMesh:
    """The node processes of a local mesh, which answer, and its registry."""

    registry: str
    """URL of the registry process."""
    nodes: tuple[LocalNode, ...]

    @property
    def addresses(self) -> list[str]:
        """All agents and teams, in order."""
        return sorted({address for node in self.nodes for address in node.agents})


class RunDirectory:
    """``$XDG_STATE_HOME/isek/<name>``. Whoever holds the lock in it is the mesh of that name.

    A lock, because a pid alone may be somebody else's by now.
    """

    def __init__(self, name: str = DEFAULT_NAME) -> None:
        self.name = name
        self.path = state_folder() / name
        self._lock = self.path / "lock"
        self._state = self.path / STATE_FILE

    def lock(self) -> int | None:
        """Become the mesh of this name until the descriptor is closed; None: another process is."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._state.unlink(missing_ok=True)
        return descriptor

    def running_pid(self) -> int | None:
        """The process that is the mesh of this name, which may be starting still; None: nobody is."""
        try:
            descriptor = os.open(self._lock, os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(os.read(descriptor, 32) or 0) or None
        finally:
            os.close(descriptor)
        return None

    def read(self) -> LocalMesh | None:
        """What runs; None: nothing does, or it is starting still."""
        if self.running_pid() is None:
            return None
        with suppress(OSError, ValueError, KeyError, TypeError):
            state: dict[str, Any] = json.loads(self._state.read_text())
            nodes = (
                LocalNode(node["nodeId"], node["url"], tuple(node["agents"]), node["mesh"]) for node in state["nodes"]
            )
            return LocalMesh(state["registry"], tuple(nodes))
        return None

    def write(
        self, registry: str, mesh_id: str, nodes: Sequence[LocalNode], network_keys: Mapping[str, Path] | None = None
    ) -> None:
        """Say what runs, in one go; ``network_keys`` by the mesh's name in the registry."""
        state = {
            "pid": os.getpid(),
            "meshId": mesh_id,
            "registry": registry,
            NETWORK_KEYS: {mesh: str(path) for mesh, path in (network_keys or {}).items()},
            "nodes": [node.to_json() for node in nodes],
        }
        new = self._state.with_suffix(".new")
        new.write_text(json.dumps(state, indent=2) + "\n")
        new.replace(self._state)

    def hosted_file(self, node_id: str) -> Path:
        """What a node hosts, as ``isek up`` wrote it."""
        return self.path / "pods" / node_id / "hosted.yaml"

    def forget(self) -> None:
        """Say that nothing runs any more."""
        self._state.unlink(missing_ok=True)
