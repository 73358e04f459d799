"""Where kind, kubectl and helm of the tests come from."""

import functools
import subprocess
from pathlib import Path

from tests.support.binaries import CLUSTER_SCRIPT


@functools.cache
def cluster_tool(name: str) -> Path:
    """Find ``kind``, ``kubectl`` or ``helm`` in the folder that ``hack/cluster/cluster tools`` fills and prints."""
    # standard error stays connected: a first build takes minutes and shows its progress there
    found = subprocess.run([CLUSTER_SCRIPT, "tools"], stdout=subprocess.PIPE, text=True, check=True)
    return Path(found.stdout.strip()) / name
