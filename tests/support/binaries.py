"""Where the real etcd and kube-apiserver of the integration tests come from."""

import functools
import os
import subprocess
from pathlib import Path

CLUSTER_SCRIPT = Path(__file__).parents[2] / "hack" / "cluster" / "cluster"


class BinaryNotFoundError(Exception):
    """A program of the control plane is nowhere to be had."""


def binary(name: str) -> Path:
    """Find a program: ``etcd``, ``kube-apiserver``, ``kube-controller-manager`` or ``kubectl``.

    First in the folder that ``KUBEBUILDER_ASSETS`` names, then among what ``hack/cluster/cluster assets`` keeps,
    downloads or builds. (The public envtest archives hold no kube-controller-manager, so the two may mix.)

    Raises:
        BinaryNotFoundError: with what to do about it.

    """
    named = os.environ.get("KUBEBUILDER_ASSETS")
    if named and os.access(Path(named) / name, os.X_OK):
        return Path(named) / name
    path = _assets() / name
    if not path.exists():
        raise BinaryNotFoundError(f"{path} is not there; run `{CLUSTER_SCRIPT} assets` or set KUBEBUILDER_ASSETS")
    return path


@functools.cache
def _assets() -> Path:
    # standard error stays connected: a first build takes minutes and shows its progress there
    found = subprocess.run([CLUSTER_SCRIPT, "assets"], stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode:
        raise BinaryNotFoundError(f"`{CLUSTER_SCRIPT} assets` failed ({found.returncode}); its output says why")
    return Path(found.stdout.strip())
