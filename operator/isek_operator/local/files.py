"""The files of a local mesh in its run directory."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from isek.processes.network_key import new_private_network_key

from isek_operator.local.plan import Pod
from isek_operator.local.world import SecretName
from isek_operator.manifests.secret import GIVEN_NETWORK_KEY, PRIVATE_NETWORK_KEY

PODS, SECRETS, MESHES, MEMORY = "pods", "secrets", "meshes", "memory"


class MeshFiles:
    """Writes what processes read; only the user can read it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def clear(self) -> None:
        """Remove all that an earlier mesh has left."""
        for name in (PODS, SECRETS, MESHES):
            shutil.rmtree(self._folder / name, ignore_errors=True)

    def write_secrets(self, wanted: Mapping[SecretName, Mapping[str, bytes]]) -> None:
        """Write every Secret, and remove those that are no more."""
        root = self._folder / SECRETS
        for (namespace, name), values in wanted.items():
            for key, value in values.items():
                _write(root / namespace / name / key, value)
        for path in list(root.glob("*/*/*")):
            namespace, name, key = path.relative_to(root).parts
            if key not in wanted.get((namespace, name), ()):
                path.unlink()

    def secrets_dir(self, pod: Pod) -> Path:
        """The Secrets of a pod's namespace: a folder each, a file a key."""
        return self._folder / SECRETS / pod.namespace

    def write_hosted(self, pod: Pod) -> Path:
        """What a pod hosts."""
        path = self._folder / PODS / pod.node_id / "hosted.yaml"
        _write(path, pod.hosted.encode())
        return path

    def write_code(self, pod: Pod) -> Path:
        """The code of a pod's agents: a folder for each ConfigMap, or a link to where its files are."""
        root = self._folder / PODS / pod.node_id / "code"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True, mode=0o700)
        for name, files in pod.code.items():
            if files.folder is not None:
                (root / name).symlink_to(files.folder)
                continue
            for file, content in files.data.items():
                _write(root / name / file, content.encode())
        return root

    def memory_dir(self, pod: Pod) -> Path:
        """Where memories in SQLite lie; they outlive the mesh, as a volume does."""
        path = self._folder / MEMORY / pod.namespace
        if pod.remembers:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def sidecar_dir(self, pod: Pod) -> Path:
        """Where a pod's sidecar keeps its identity and its token."""
        return self._folder / PODS / pod.node_id / "p2p"

    def private_network_key(self, pod: Pod) -> Path:
        """The key of a pod's mesh: the one that a Secret gives, or one that is made when it is asked for first."""
        if pod.network_key is not None:
            return self._folder.joinpath(SECRETS, *pod.network_key, GIVEN_NETWORK_KEY)
        path = self._folder / MESHES / pod.mesh.replace("/", ".") / PRIVATE_NETWORK_KEY
        if not path.exists():
            _write(path, new_private_network_key().encode())
        return path


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_bytes(content)
    new.replace(path)
