"""The console script ``isek-node``."""

import signal
import sys


def main() -> None:
    """Run one node until SIGTERM."""
    # The first process of a container gets no default handling of signals: a pod that is deleted while its node
    # still imports would be waited for until the grace period ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

    from isek.node.process import run  # noqa: PLC0415

    run()
