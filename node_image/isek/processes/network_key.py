"""Keys of libp2p private networks."""

import hashlib
import os
import re
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from isek.processes.local_mesh import state_folder

MAX_KEYS = 8
"""In one file: the one that is dialled with, and others that are accepted meanwhile."""

_FORM = "/key/swarm/psk/1.0.0/\n/base16/\n{}\n"
_KEY = re.compile(r"/key/swarm/psk/1\.0\.0/\s+/base16/\s+([0-9a-fA-F]{64})(?:\s+|$)")


def new_private_network_key() -> str:
    """A new pre-shared key: 256 bits in the swarm key format.

    (https://github.com/libp2p/specs/blob/master/pnet/Private-Networks-PSK-V1.md)
    """
    return _FORM.format(secrets.token_hex(32))


def fingerprints(keys: str) -> tuple[str, ...]:
    """What anybody may know of the keys in a file, in their order: 16 hexadecimal digits each, as sidecars say them.

    One key after the other, each with its two lines before it. None at all where the file is of another form, has more
    than ``MAX_KEYS``, or the same one twice.
    """
    return tuple(_fingerprint(key) for key in split_keys(keys))


def split_keys(keys: str) -> list[str]:
    """Each key of a file as a file of its own; none where ``fingerprints`` has none."""
    found, end = [], 0
    text = keys.lstrip()
    while match := _KEY.match(text, end):
        found.append(_FORM.format(match[1].lower()))
        end = match.end()
    return found if end == len(text) and len(set(found)) == len(found) <= MAX_KEYS else []


def _fingerprint(key: str) -> str:
    return hashlib.sha256(b"isek private network key\0" + bytes.fromhex(key.rsplit(maxsplit=1)[-1])).hexdigest()[:16]


def key_of_this_user() -> Path:
    """The key of this user's nodes that name none, in ``$XDG_STATE_HOME/isek``; made by whoever asks first."""
    folder = state_folder()
    path = folder / "private-network.key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=folder) as new, suppress(FileExistsError):
            new.write(new_private_network_key())
            new.flush()
            os.link(new.name, path)  # whole, or not at all; another process may have been first
    return path
