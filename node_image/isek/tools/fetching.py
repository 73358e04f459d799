"""HTTP on behalf of a model: how much of an answer it gets, and which addresses it must not reach."""

import asyncio
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any

from isek.tools.base import ToolError

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver

MAX_BYTES = 256 * 1024
"""Of a body; the rest is cut off."""
TIMEOUT_SECONDS = 30.0
NAT64 = IPv6Network("64:ff9b::/96")
"""Leads to the IPv4 address in its last 32 bits (RFC 6052)."""
NEVER_PUBLIC = (
    IPv6Network("64:ff9b:1::/48"),  # NAT64 of a site's own (RFC 8215)
    IPv6Network("::/96"),  # IPv4-compatible (RFC 4291)
    IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated (RFC 2765)
    IPv6Network("fec0::/10"),  # site-local (RFC 3879)
)
"""Beside what Python's table says, which differs from version to version."""
TEXT_TYPES = ("text/", "application/json", "application/xml", "application/javascript", "application/yaml")
TEXT_SUFFIXES = ("+json", "+xml", "+yaml")


@dataclass(frozen=True)
class Fetched:
    """An answer."""

    status: int
    text: str
    location: str
    """Where a redirect leads; empty: nowhere."""


async def fetch(
    method: str,
    url: str,
    *,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    json: Any = None,
    public_only: bool = False,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Fetched:
    """Send a request. Redirects are not followed.

    Args:
        public_only: connect to addresses of the public internet only; looked at after the name is resolved.

    Raises:
        ToolError: nothing that can be read came back.
    """
    import aiohttp  # noqa: PLC0415
    from yarl import URL  # noqa: PLC0415

    try:
        target = URL(url)
        if target.host is None or target.scheme not in {"http", "https"}:
            raise ValueError("it must begin with http:// or https:// and a host")  # noqa: TRY301
    except ValueError as error:
        raise ToolError(f"{url!r} is no URL: {error}") from None
    if public_only and _is_address(target.host) and not is_public(target.host):
        raise ToolError(f"{target.host!r} is not an address of the public internet")
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=_public_resolver() if public_only else None),
                timeout=aiohttp.ClientTimeout(total=timeout_seconds),
            ) as session,
            session.request(
                method, target.update_query(query or {}), headers=headers, json=json, allow_redirects=False
            ) as response,
        ):
            return Fetched(response.status, await _text(response), response.headers.get("Location", ""))
    except NotPublicError as error:
        raise ToolError(str(error)) from None
    except TimeoutError:
        raise ToolError(f"{target.host} did not answer within {timeout_seconds:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        if isinstance(error.__cause__, NotPublicError):
            raise ToolError(str(error.__cause__)) from None
        raise ToolError(f"{target.host} cannot be asked: {error}") from None


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


def cut(text: str, characters: int) -> str:
    """At most so many characters; says so where some are missing."""
    return text if len(text) <= characters else f"{text[:characters]}\n[cut off after {characters} characters]"


class NotPublicError(OSError):
    """A name leads to an address that is not public."""


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _public_resolver() -> "AbstractResolver":
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


async def _text(response: Any) -> str:
    kind = response.content_type
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BYTES:
            break
    if body and not (kind.startswith(TEXT_TYPES) or kind.endswith(TEXT_SUFFIXES)):
        raise ToolError(f"the answer is {kind}, not text")
    try:
        text = body[:MAX_BYTES].decode(response.charset or "utf-8", errors="replace")
    except LookupError:
        text = body[:MAX_BYTES].decode(errors="replace")
    return text if len(body) <= MAX_BYTES else f"{text}\n[cut off after {MAX_BYTES} bytes]"
