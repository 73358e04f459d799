"""Delivers push notifications: to public addresses over HTTPS, and to the hosts that are allowed beside."""

import asyncio
import random
from collections import Counter
from collections.abc import Collection, Mapping
from io import BytesIO

import aiohttp
from yarl import URL

from isek.log import log
from isek.public_addresses import NotPublicError, may_lead_to_public, public_resolver

ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 1.0
"""Before the second attempt; each further one waits twice as long."""
TIMEOUT_SECONDS = 10.0
AT_ONCE = 32
MAX_WAITING = 1_000
MAX_WAITING_BYTES = 64 * 1024 * 1024
MAX_URL = 2048
"""Characters."""
LAST_SECONDS = 5.0
"""For what is under way when the node stops."""
PASSING = {408, 425, 429}
"""Statuses, beside 5xx, after which it is tried again."""


class PushSender:
    """One connection pool for public addresses and one for others, opened by the first notification.

    Args:
        first_pause_seconds: see :data:`FIRST_PAUSE_SECONDS`.
        max_waiting_bytes: of all bodies that wait; what comes beside them is dropped.
    """

    def __init__(
        self, first_pause_seconds: float = FIRST_PAUSE_SECONDS, max_waiting_bytes: int = MAX_WAITING_BYTES
    ) -> None:
        self._first_pause = first_pause_seconds
        self._max_waiting_bytes = max_waiting_bytes
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._deliveries: set[asyncio.Task[None]] = set()
        self._bodies: Counter[bytes] = Counter()
        """How many deliveries hold each; one that goes to several is there once."""

    def send(self, url: str, body: bytes, headers: Mapping[str, str], allowed: Collection[str]) -> None:
        """Begin to deliver ``body``; what comes of it goes to the log.

        Args:
            url: checked before, by :func:`check_url`.
            body: of the request.
            headers: of the request.
            allowed: see :func:`check_url`.
        """
        waiting_bytes = sum(map(len, self._bodies | Counter([body])))
        if len(self._deliveries) >= MAX_WAITING or waiting_bytes > self._max_waiting_bytes:
            log().warning("a push notification to {} is dropped: {} others wait", URL(url).host, len(self._deliveries))
            return
        delivery = asyncio.create_task(self._deliver(URL(url), body, headers, allowed), name=f"push to {url}")
        self._deliveries.add(delivery)
        self._bodies[body] += 1
        delivery.add_done_callback(lambda ended: self._forget(ended, body))

    async def aclose(self) -> None:
        """Give what is under way a moment, and close the connections."""
        if self._deliveries:
            await asyncio.wait(self._deliveries, timeout=LAST_SECONDS)
        for delivery in tuple(self._deliveries):
            delivery.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)
        for session in self._sessions.values():
            await session.close()

    def _forget(self, delivery: asyncio.Task[None], body: bytes) -> None:
        self._deliveries.discard(delivery)
        self._bodies -= Counter([body])

    async def _deliver(self, url: URL, body: bytes, headers: Mapping[str, str], allowed: Collection[str]) -> None:
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(self._first_pause * 2 ** (attempt - 1) * random.uniform(0.75, 1.25))  # noqa: S311
            problem, passing = await self._attempt(url, body, headers, allowed)
            if problem is None:
                log().info("pushed", host=url.host, attempts=attempt + 1)
                return
            if not passing:
                break
        log().warning("a push notification to {} was not delivered: {}", url.host, problem)

    async def _attempt(
        self, url: URL, body: bytes, headers: Mapping[str, str], allowed: Collection[str]
    ) -> tuple[str | None, bool]:
        """What went wrong, and whether it may pass."""
        try:
            async with (
                self._places,
                self._session(public_only=_netloc(url) not in allowed).post(
                    url, data=BytesIO(body), headers=headers, allow_redirects=False
                ) as answer,
            ):
                status = answer.status
        except NotPublicError as error:
            return str(error), False
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            cause = error.__cause__
            return (str(cause), False) if isinstance(cause, NotPublicError) else (_reason(error), True)
        return (None, False) if status < 300 else (f"HTTP {status}", status >= 500 or status in PASSING)

    def _session(self, *, public_only: bool) -> aiohttp.ClientSession:
        if public_only not in self._sessions:
            self._sessions[public_only] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=public_resolver() if public_only else None),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
            )
        return self._sessions[public_only]


def check_url(url: str, allowed: Collection[str]) -> None:
    """Refuse what nobody is to be sent to. Names are looked at again once they are resolved, before each connection.

    Args:
        url: of a caller.
        allowed: ``<host>:<port>`` of those that may be private, and be spoken to without TLS.

    Raises:
        ValueError: with why.
    """
    if len(url) > MAX_URL:
        raise ValueError(f"it is longer than {MAX_URL} characters")
    target = URL(url)
    if target.scheme not in {"http", "https"} or not target.host:
        raise ValueError("it must begin with https:// and a host")
    if target.user is not None:
        raise ValueError("credentials do not belong into a URL")
    if _netloc(target) in allowed:
        return
    if target.scheme != "https":
        raise ValueError("only hosts of spec.pushNotifications.allowedHosts may be told without TLS")
    if not may_lead_to_public(target.host):
        raise ValueError(f"{target.host} is not an address of the public internet")


def _netloc(url: URL) -> str:
    return f"{url.host}:{url.port}"


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
