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
SHARE = 40
"""Ports that a process takes for itself at once."""


def free_port() -> int:
    """A port on which nobody listens, another one each time, until all have been given.

    No two processes of a user are given the same one, however long each takes until it listens there.

    Raises:
        LocalError: there is none.
    """
    for port in islice(_ports(), len(RANGE)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port
    raise LocalError(f"all ports from {RANGE.start} to {RANGE.stop} of {HOST} are taken; end what holds them")


@cache
def _ports() -> Iterator[int]:
    """One after the other, of shares that are this process's own while it lives: each is a byte that it has locked of a
    file that all processes share."""
    file = Path(tempfile.gettempdir(), f"isek-ports-{os.getuid()}")
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)  # open to the end
    except OSError as error:
        raise LocalError(f"cannot keep ports apart by {file}: {error.strerror}; remove it, or set TMPDIR") from None
    return _of_shares(descriptor)


def _of_shares(descriptor: int) -> Iterator[int]:
    shares = range(len(RANGE) // SHARE)
    own: list[int] = []
    for share in random.sample(shares, k=len(shares)):
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, share)
        except BlockingIOError:
            continue
        ports = RANGE[share * SHARE : (share + 1) * SHARE]
        own.extend(ports)
        yield from ports
    yield from cycle(own)
