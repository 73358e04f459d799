"""HTTP on behalf of a model: how much of an answer it gets, and which addresses it must not reach."""

from dataclasses import dataclass
from typing import Any

from isek.public_addresses import NotPublicError, may_lead_to_public, public_resolver
from isek.tools.base import ToolError

MAX_BYTES = 256 * 1024
"""Of a body; the rest is cut off."""
TIMEOUT_SECONDS = 30.0
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
    if public_only and not may_lead_to_public(target.host):
        raise ToolError(f"{target.host!r} is not an address of the public internet")
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=public_resolver() if public_only else None),
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


def cut(text: str, characters: int) -> str:
    """At most so many characters; says so where some are missing."""
    return text if len(text) <= characters else f"{text[:characters]}\n[cut off after {characters} characters]"


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
