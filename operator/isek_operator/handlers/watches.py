"""The watches, by Kopf: it logs in, lists and watches, and what it is told goes to a sink (see :mod:`.session`)."""

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

import kopf

from isek_operator.cluster.client import PAGE
from isek_operator.cluster.credentials import Credentials
from isek_operator.handlers.session import Sink, Wire
from isek_operator.kinds import WATCHED_KINDS, ApiKind, watched_kinds

LOGIN_SECONDS = 1.0
"""Between two logins: a server that lets us in no more is not to be stormed."""


def registry(credentials: Credentials, sink: Sink, namespaces: Sequence[str]) -> kopf.OperatorRegistry:
    """What has Kopf watch for an operator that works in these namespaces; none: in all."""
    handlers = kopf.OperatorRegistry()

    async def watched(**_: Any) -> None:
        """Makes Kopf watch a kind. It is never called: the sink gets the events."""

    for kind in watched_kinds(namespaces):
        version = kind.api_version.rpartition("/")[2]
        kopf.on.event(kind.group, version, kind.plural, id=f"watch-{kind.plural}", registry=handlers)(watched)

    wire, last_login = Wire(credentials, sink), -math.inf

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        nonlocal last_login
        await asyncio.sleep(last_login + LOGIN_SECONDS - time.monotonic())
        last_login = time.monotonic()
        return kopf.AiohttpSession(server=credentials.server, aiohttp_session=wire.session())

    return handlers


class Patience:
    """Seconds between tries of a watch, for ever: a watch that gives up would end the operator."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.1, 0.2, 0.5)
        yield from repeat(1.0)


def settings() -> kopf.OperatorSettings:
    """Kopf, reduced to its watches."""
    chosen = kopf.OperatorSettings()
    chosen.scanning.disabled = True  # neither CRDs nor namespaces need to be watched
    chosen.posting.enabled = False
    chosen.peering.standalone = True
    chosen.networking.error_backoffs = Patience()
    chosen.watching.chunk_size = PAGE
    chosen.watching.server_timeout = 300
    chosen.watching.client_timeout = 330
    chosen.watching.connect_timeout = 10
    for kind in WATCHED_KINDS:
        if kind.selector:
            chosen.watching.label_selectors[_selector(kind)] = kind.selector
    return chosen


def _selector(kind: ApiKind) -> tuple[str, str, str]:
    return kind.group, kind.api_version.rpartition("/")[2], kind.plural
