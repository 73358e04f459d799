"""What other programs of a user may know of the meshes that ``isek up`` runs."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

STATE_FILE = "state.json"
NETWORK_KEYS = "privateNetworkKeys"
"""In the state file: the path of the key of each mesh, by the mesh's name in the registry."""


def state_folder() -> Path:
    """``$XDG_STATE_HOME/isek``, in which each local mesh has its run directory."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "isek"


def key_of_local_mesh(registry_url: str, mesh_id: str) -> Path | None:
    """The key of the private network of a mesh that ``isek up`` of this user runs; None: it is not one of those.

    Args:
        registry_url: where the mesh's nodes find each other.
        mesh_id: the mesh's name there.
    """
    for state_file in state_folder().glob(f"*/{STATE_FILE}"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            state: dict[str, Any] = json.loads(state_file.read_text())
            if state["registry"] == registry_url.replace("//localhost:", "//127.0.0.1:"):
                return Path(state[NETWORK_KEYS][mesh_id])
    return None
