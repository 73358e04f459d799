"""What a browser may do with the page, and by which names it may come."""

import base64
import hashlib
import re
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
HOST = re.compile(r"(\[[0-9a-f:]+\]|[^][:/@]+)(:[0-9]+)?")
"""Name and port in a request (RFC 9110, 7.2)."""
WRONG_HOST = PlainTextResponse("this page has another name: see ISEK_UI_HOSTS, or ui.hosts of the chart\n", 421)
WRONG_ORIGIN = PlainTextResponse("another site asks for this\n", 403)


class Guard:
    """Refuses hosts that are not ours, so that no other site becomes this one by DNS (rebinding), and lets the browser
    fetch from nowhere else: neither the page nor what an agent answers asks anything of the internet. Nor may other
    sites, those of other ports among them, talk with agents from a user's browser.

    Args:
        app: what is guarded.
        hosts: by which names the page may be asked for, beside the loopback's.
        html: the page; its own scripts may run, and no others.
    """

    def __init__(self, app: ASGIApp, *, hosts: Collection[str], html: str) -> None:
        self._app = app
        self._hosts = {*LOOPBACK, *hosts}
        self._policy = policy(html)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = HOST.fullmatch(headers.get("host", ""))
        if host is None or host[1] not in self._hosts:
            await WRONG_HOST(scope, receive, send)
            return
        # browsers say where a request comes from, with each WebSocket and all that may change something (RFC 6454)
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host[0]:
            await WRONG_ORIGIN(scope, receive, send)
            return

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(
                    {
                        "Content-Security-Policy": self._policy,
                        "Referrer-Policy": "no-referrer",
                        "X-Content-Type-Options": "nosniff",
                    }
                )
            await send(message)

        await self._app(scope, receive, send_with_policy)


def policy(html: str) -> str:
    """The Content-Security-Policy of a page (W3C, CSP Level 3): itself alone, with the scripts that stand in it."""
    inline = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in inline
    )
    return (
        f"default-src 'self'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )
