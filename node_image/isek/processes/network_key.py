"""Keys of libp2p private networks."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path


def new_private_network_key() -> str:
    """A new pre-shared key: 256 bits in the swarm key format.

    (https://github.com/libp2p/specs/blob/master/pnet/Private-Networks-PSK-V1.md)
    """
    return f"/key/swarm/psk/1.0.0/\n/base16/\n{secrets.token_hex(32)}\n"


def key_of_this_user() -> Path:
    """The key of this user's nodes that name none, in ``$XDG_STATE_HOME/isek``; made by whoever asks first."""
    folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "isek"
    path = folder / "private-network.key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=folder) as new, suppress(FileExistsError):
            new.write(new_private_network_key())
            new.flush()
            os.link(new.name, path)  # whole, or not at all; another process may have been first
    return path
