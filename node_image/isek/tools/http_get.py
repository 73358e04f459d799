"""Reading from hosts that the agent's author allows."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urljoin, urlsplit

from isek.asking import CallContext
from isek.models.base import ToolSchema
from isek.tools.base import Tool, ToolError, text_argument
from isek.tools.fetching import TIMEOUT_SECONDS, Fetched, cut, fetch

MAX_REDIRECTS = 5
MAX_CHARACTERS = 32_768
"""That a model is told."""


class HttpGet(Tool):
    """Gets a page by its URL.

    Args:
        allow: hosts that may be asked: ``docs.example.org``, or ``*.example.org`` for all below.
        private_addresses: whether these hosts may be private, shared, loopback or link-local addresses.

    Raises:
        ValueError: no host is allowed.
    """

    timeout_seconds = TIMEOUT_SECONDS

    def __init__(self, allow: Iterable[str], *, private_addresses: bool = False) -> None:
        self._allow = tuple(host.lower() for host in allow)
        if not self._allow:
            raise ValueError("http_get: allow must name at least one host")
        self._private_addresses = private_addresses
        self.schema = ToolSchema(
            name="http_get",
            description=f"Gets the text behind a URL. Hosts that may be asked: {', '.join(self._allow)}.",
            parameters={
                "type": "object",
                "properties": {"url": {"type": "string", "description": "https://… or http://…"}},
                "required": ["url"],
                "additionalProperties": False,
            },
        )

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """The text behind ``url``. Redirects are followed, each as if it had been asked for."""
        url = text_argument(arguments, "url")
        for _ in range(MAX_REDIRECTS + 1):
            fetched = await self._fetch(url)
            if not (300 <= fetched.status < 400 and fetched.location):
                if fetched.status >= 400:
                    raise ToolError(f"{url} answered {fetched.status}: {cut(fetched.text, 1000)}")
                return cut(fetched.text, MAX_CHARACTERS)
            url = urljoin(url, fetched.location)
        raise ToolError(f"more than {MAX_REDIRECTS} redirects; the last one leads to {url}")

    async def _fetch(self, url: str) -> Fetched:
        try:
            host = urlsplit(url).hostname or ""
        except ValueError as error:
            raise ToolError(f"{url!r} is no URL: {error}") from None
        if not any(_covers(allowed, host) for allowed in self._allow):
            raise ToolError(f"host {host!r} must not be asked; allowed: {', '.join(self._allow)}")
        return await fetch("GET", url, public_only=not self._private_addresses)


def _covers(allowed: str, host: str) -> bool:
    return host == allowed or (allowed.startswith("*.") and host.endswith(allowed[1:]))
