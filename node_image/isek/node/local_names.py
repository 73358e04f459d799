"""By which names a node on the loopback address may be asked."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from isek.errors import CallError
from isek.node.ask import failure


class LocalNames:
    """Refuses requests by names of others. A web page may lead its own name to this machine once it is loaded (DNS
    rebinding), and its scripts could then use the agents of whoever looks at it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        host = Headers(scope=scope).get("host") if scope["type"] == "http" else None
        if host is None or _is_local(host):
            await self._app(scope, receive, send)
            return
        error = CallError(
            "ForeignHost",
            f"this node listens on this machine alone, and {host!r} is no name of it",
            hint="ask it by 127.0.0.1 or localhost, or let it listen elsewhere",
            status=421,
        )
        await failure(error)(scope, receive, send)


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach what listens there."""
    if address == "localhost":
        return True
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _is_local(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ip_address(name)  # an address is not led anywhere
    except ValueError:
        return False
    return True
