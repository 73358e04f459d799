"""Bearer tokens of callers from outside, as files that may change while they are used."""

import hashlib
import hmac
import os
import time
from collections.abc import Callable
from pathlib import Path

from isek.log import log

MIN_LENGTH = 16
"""A shorter token could be guessed, and is passed over."""
LOOK_AGAIN_SECONDS = 1.0

Version = tuple[tuple[str, int, int], ...]


class Tokens:
    """The tokens in a folder: a file for each caller, a token a line. The folder is a mounted Secret.

    Args:
        folder: where they are.
        clock: seconds.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._look_at = 0.0
        self._version: Version | None = None
        self._digests: list[tuple[str, bytes]] = []

    def whose(self, shown: str) -> str | None:
        """Who has the token; None: nobody. Takes as long for each, however much of it is right.

        Raises:
            OSError: the folder cannot be read.
        """
        self._look()
        digest, found = _digest(shown), None
        for name, each in self._digests:
            if hmac.compare_digest(digest, each):
                found = name
        return found

    def _look(self) -> None:
        if self._version is not None and self._clock() < self._look_at:
            return
        version = _version(self._folder)
        if version != self._version:
            self._digests = [(name, _digest(token)) for name, *_ in version for token in _tokens(self._folder, name)]
            self._version = version
        self._look_at = self._clock() + LOOK_AGAIN_SECONDS


def _version(folder: Path) -> Version:
    with os.scandir(folder) as entries:
        files = [(entry.name, entry.stat()) for entry in entries if not entry.name.startswith(".") and entry.is_file()]
    return tuple(sorted((name, stat.st_ino, stat.st_mtime_ns) for name, stat in files))


def _tokens(folder: Path, name: str) -> list[str]:
    lines = (line.strip() for line in (folder / name).read_text(errors="replace").splitlines())
    tokens = [line for line in lines if line]
    if any(len(token) < MIN_LENGTH for token in tokens):
        log().warning("tokens: {} holds one of less than {} characters; it is passed over", folder / name, MIN_LENGTH)
    return [token for token in tokens if len(token) >= MIN_LENGTH]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
