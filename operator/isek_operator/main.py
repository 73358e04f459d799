"""The console script ``isek-operator``."""

import gc
import signal
import sys


def main() -> int:
    """Run the operator until SIGTERM. Returns the exit code."""
    # The first process of a container gets no default handling of signals: a pod that is deleted while its operator
    # still imports would be waited for until the grace period ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    gc.disable()  # nothing that is imported is garbage: looking for it is a twentieth of the start

    from isek_operator.process import run  # noqa: PLC0415

    return run()


if __name__ == "__main__":
    sys.exit(main())
