"""Free ports of this machine."""

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import cycle, islice
from pathlib import Path

from isek.processes.errors import LocalError

HOST = "127.0.0.1"
RANGE = range(20_000, 32_000)
"""Below the ports that systems hand out by themselves, so that no outgoing connection takes one in the meantime."""
SHARE = 200
"""Ports of one process: more than it starts servers at once."""


def free_port() -> int:
    """A port on which nobody listens, another one each time.

    No two processes are given the same one, however long each takes until it listens there.

    Raises:
        LocalError: there is none.
    """
    for port in islice(_ports(), SHARE):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port
    raise LocalError(f"all ports that this process may take of {HOST} are in use; end what holds them")


@cache
def _ports() -> Iterator[int]:
    """This process's own ports, round and round: while it lives, it locks their byte of a file that all share."""
    file = Path(tempfile.gettempdir(), f"isek-ports-{os.getuid()}")
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)  # open to the end
    shares = range(len(RANGE) // SHARE)
    for share in random.sample(shares, k=len(shares)):
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, share)
        except OSError:
            continue
        return cycle(RANGE[share * SHARE : (share + 1) * SHARE])
    raise LocalError(f"{len(shares)} processes hold all ports from {RANGE.start} to {RANGE.stop}; end some of them")
