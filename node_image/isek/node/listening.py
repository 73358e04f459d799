"""Sockets to listen on."""

import socket

BACKLOG = 2048
EVERYWHERE = ""
"""In the place of an address: all addresses of this machine or pod."""


class PortError(Exception):
    """A port cannot be had; what to do stands in the message."""


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address, or everywhere: over IPv6 and IPv4 where the kernel has both, else over IPv4 alone.

    Raises:
        OSError: the address is not one of this machine, or the port is in use.
    """
    if host != EVERYWHERE:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
    return socket.create_server(("0.0.0.0", port), backlog=BACKLOG)  # noqa: S104  (asked for)
