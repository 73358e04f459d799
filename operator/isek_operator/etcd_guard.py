"""Runs before an etcd member starts: one that has lost its data must not come back as if it were new.

It would take part in elections without what it has acknowledged. So it is held back until the operator has removed it
from the cluster and added it again. One that may start gets the room of all that came before it on its volume. The
standard library only: this is to be a matter of milliseconds.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

DATA_LOST = 3
"""Exit code: the member has taken part in the cluster before, and its data is gone."""
NOT_CONFIGURED = 2
"""Exit code: its configuration is not there (yet)."""
TERMINATION_MESSAGE = Path("/dev/termination-log")
"""Shown in the pod's status (Kubernetes, Determine the Reason for Pod Failure)."""

_CLUSTER = re.compile(r"(?P<mesh>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})-(?P<number>[0-9]+)")
"""How a cluster is called, and the folder of its data: the mesh's uid, and the how-manieth it is."""


def main(config: Path, admission: Path, message: Path = TERMINATION_MESSAGE) -> int:
    """Whether the member may start, as an exit code.

    Its data are in ``<volume>/<cluster>/<member>``, as its configuration says.
    """
    try:
        data = Path(json.loads(config.read_text())["data-dir"])
        admitted = admission.read_text().strip()
    except (OSError, ValueError, KeyError) as error:
        return _refuse(message, f"the member's configuration cannot be read yet: {error}", NOT_CONFIGURED)
    if admitted == "New" or any((data / "member" / "wal").glob("*.wal")):
        if admitted != "Removed":
            _make_room(data)
        return 0
    return _refuse(message, f"data lost: {data} is empty; the operator replaces this member", DATA_LOST)


def _make_room(data: Path) -> None:
    """Remove what others have left on the volume. What cannot be removed is no reason not to start."""
    for former in _of_others(data):
        mebibytes = sum(each.stat().st_size for each in former.rglob("*") if each.is_file()) >> 20
        try:
            shutil.rmtree(former)
        except OSError as error:
            sys.stderr.write(f"could not remove {former}, which no member can use again: {error}\n")
        else:
            sys.stderr.write(f"removed {former}, which no member can use again: {mebibytes} MiB\n")


def _of_others(data: Path) -> Iterator[Path]:
    """The folders of clusters that were given up, of meshes that are no more, and of former members of the own cluster.

    None of a later cluster: a kubelet may show the configuration of before for a moment.
    """
    own = _CLUSTER.fullmatch(data.parent.name)
    if own is None:
        return
    for cluster in _folders(data.parents[1]):
        found = _CLUSTER.fullmatch(cluster.name)
        if cluster == data.parent:
            yield from (member for member in _folders(cluster) if member != data)  # etcd gives no id twice
        elif found and (found["mesh"] != own["mesh"] or int(found["number"]) < int(own["number"])):
            yield cluster


def _folders(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if each.is_dir() and not each.is_symlink())


def _refuse(message: Path, why: str, code: int) -> int:
    sys.stderr.write(f"{why}\n")
    try:
        message.write_text(why)
    except OSError as error:
        sys.stderr.write(f"{message}: {error}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
