"""Runs before an etcd member starts: one that has lost its data must not come back as if it were new.

It would take part in elections without what it has acknowledged. So it is held back until the operator has removed it
from the cluster and added it again. The standard library only: this is to be a matter of milliseconds.
"""

import json
import sys
from pathlib import Path

DATA_LOST = 3
"""Exit code: the member has taken part in the cluster before, and its data is gone."""
NOT_CONFIGURED = 2
"""Exit code: its configuration is not there (yet)."""
TERMINATION_MESSAGE = Path("/dev/termination-log")
"""Shown in the pod's status (Kubernetes, Determine the Reason for Pod Failure)."""


def main(config: Path, admission: Path, message: Path = TERMINATION_MESSAGE) -> int:
    """Whether the member may start, as an exit code."""
    try:
        data = Path(json.loads(config.read_text())["data-dir"])
        is_new = admission.read_text().strip() == "New"
    except (OSError, ValueError, KeyError) as error:
        return _refuse(message, f"the member's configuration cannot be read yet: {error}", NOT_CONFIGURED)
    if is_new or any((data / "member" / "wal").glob("*.wal")):
        return 0
    return _refuse(message, f"data lost: {data} is empty; the operator replaces this member", DATA_LOST)


def _refuse(message: Path, why: str, code: int) -> int:
    sys.stderr.write(f"{why}\n")
    try:
        message.write_text(why)
    except OSError as error:
        sys.stderr.write(f"{message}: {error}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
