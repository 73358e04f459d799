"""Keys of libp2p private networks."""

import secrets


def new_private_network_key() -> str:
    """A new pre-shared key: 256 bits in the swarm key format.

    (https://github.com/libp2p/specs/blob/master/pnet/Private-Networks-PSK-V1.md)
    """
    return f"/key/swarm/psk/1.0.0/\n/base16/\n{secrets.token_hex(32)}\n"
