"""Free ports of this machine."""

import random
import socket

from isek.processes.errors import LocalError

HOST = "127.0.0.1"
RANGE = range(20_000, 32_000)
"""Below the ports that systems hand out by themselves, so that no outgoing connection takes one in the meantime."""

_given: set[int] = set()


def free_port() -> int:
    """A port on which nobody listens, another one each time.

    Raises:
        LocalError: there is none.
    """
    for port in random.sample(RANGE, k=len(RANGE)):
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise LocalError(f"all ports from {RANGE.start} to {RANGE.stop} of {HOST} are in use; end what holds them")
