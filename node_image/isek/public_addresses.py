"""Which addresses are of the public internet, and connections to no others."""

import asyncio
import re
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver

NAT64 = IPv6Network("64:ff9b::/96")
"""Leads to the IPv4 address in its last 32 bits (RFC 6052)."""
NEVER_PUBLIC = (
    IPv6Network("64:ff9b:1::/48"),  # NAT64 of a site's own (RFC 8215)
    IPv6Network("::/96"),  # IPv4-compatible (RFC 4291)
    IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated (RFC 2765)
    IPv6Network("fec0::/10"),  # site-local (RFC 3879)
)
"""Beside what Python's table says, which differs from version to version."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet: not private, shared, loopback, link-local or multicast.

    An IPv4 address within one of IPv6 counts as itself (IANA, Special-Purpose Address Registries).
    """
    ip = ip_address(address.partition("%")[0])
    if ip.version == 6:
        inner = ip.ipv4_mapped or ip.sixtofour or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else None)
        if inner is not None:
            return is_public(str(inner))
        if any(ip in network for network in NEVER_PUBLIC):
            return False
    return ip.is_global and not ip.is_multicast


class NotPublicError(OSError):
    """A name leads to an address that is not public."""


def is_address(host: str) -> bool:
    """Whether it is an IP address, and no name."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def may_lead_to_public(host: str) -> bool:
    """Whether a host is a public address, or a name; where names lead is seen once they are resolved.

    One that ends in a number is an address (https://url.spec.whatwg.org/#ends-in-a-number-checker), however it is
    written: resolvers take ``127.1``, ``2130706433`` and ``0x7f.1`` for loopback without asking anybody.
    """
    if is_address(host):
        return is_public(host)
    last = host.removesuffix(".").rpartition(".")[2]
    return not re.fullmatch(r"[0-9]+|0[xX][0-9a-fA-F]*", last)


def public_resolver() -> "AbstractResolver":
    """Resolves names for a connector, and refuses those that lead elsewhere. It belongs to the event loop of now."""
    import aiohttp  # noqa: PLC0415

    class PublicResolver(aiohttp.ThreadedResolver):
        """What it returns is what is connected to, so that a name cannot lead elsewhere the second time."""

        async def resolve(self, *args: Any, **kwargs: Any) -> Any:
            found = await super().resolve(*args, **kwargs)
            for each in found:
                if not is_public(each["host"]):
                    raise NotPublicError(f"{each['hostname']!r} leads to {each['host']}, which is not a public address")
            return found

    return PublicResolver(loop=asyncio.get_running_loop())
