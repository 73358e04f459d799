"""One active operator at a time, by a Lease.

The semantics are those of client-go's leaderelection, so that tools which know it read the Lease right: whoever is not
the holder takes the Lease only after it has not *seen it change* for its whole duration. Clocks of two machines are
never compared. The holder gives up before anybody may take it: ``RENEW_DEADLINE_SECONDS`` after it began its last
successful renewal it makes no write any more, and ends.

Source: https://pkg.go.dev/k8s.io/client-go/tools/leaderelection
"""

import asyncio
import logging
import math
import random
import socket
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Never, Protocol

from isek_operator.cluster.errors import ApiError, ConflictError, NotFoundError, TransientError
from isek_operator.cluster.lease import SeenLease, Tenure

DURATION_SECONDS = 4
RENEW_DEADLINE_SECONDS = 3.0
RENEW_SECONDS = 1.0
LOOK_SECONDS = 0.25
"""Between two looks of one that stands by: the later a renewal is seen, the later it is missed."""
ATTEMPT_SECONDS = 1.5
"""For one call: a hung connection leaves time for a second try within the deadline."""
JITTER = 0.2

logger = logging.getLogger(__name__)


class LeadershipLostError(Exception):
    """This operator is not the active one any more; the message says why."""


class LeadershipDeniedError(Exception):
    """The Lease cannot be used at all; the message says why."""


class HeldLease(Protocol):
    """What it needs of a Lease (:class:`isek_operator.cluster.lease.Lease`)."""

    async def read(self) -> SeenLease | None:
        """The Lease as it is; None: there is none."""
        ...

    async def create(self, tenure: Tenure) -> SeenLease:
        """Make it. ConflictError: somebody was faster."""
        ...

    async def write(self, seen: SeenLease, tenure: Tenure) -> SeenLease:
        """Change the Lease that was seen. ConflictError: it is not as it was seen any more."""
        ...


class Elected(Protocol):
    """The right to act, however it is come by."""

    @property
    def held(self) -> bool:
        """Whether this operator may write."""
        ...

    async def acquire(self) -> None:
        """Return once it is held."""
        ...

    async def hold(self) -> None:
        """Keep it; raises when that is not possible any more."""
        ...

    async def release(self) -> None:
        """Let the next one have it."""
        ...


class Unopposed:
    """Without a Lease: this is the only operator."""

    held = True

    async def acquire(self) -> None:
        """It is held."""

    async def hold(self) -> None:
        """For ever."""
        await asyncio.Event().wait()

    async def release(self) -> None:
        """There is nobody else."""


def own_identity() -> str:
    """Another one for each process: a container that is restarted in its pod is not the holder that it was."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


class Leadership:
    """Acquires the Lease, then holds it for as long as it can."""

    def __init__(
        self,
        lease: HeldLease,
        identity: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._lease, self._identity = lease, identity
        self._clock, self._now, self._sleep, self._uniform = clock, now, sleep, uniform
        self._seen: SeenLease | None = None
        self._seen_at = -math.inf
        """When the tenure was first seen as it is."""
        self._current = False
        """Whether what was seen is what this operator wrote last, so that it need not be read again."""
        self._renewed_at = -math.inf
        """When the last successful renewal began."""
        self._trouble = ""
        """Why the last attempt failed."""

    @property
    def held(self) -> bool:
        """Whether this operator may write: it holds the Lease, and nobody else can have taken it."""
        return self._clock() < self._renewed_at + RENEW_DEADLINE_SECONDS

    async def acquire(self) -> None:
        """Return once the Lease is held.

        Raises:
            LeadershipDeniedError: the API server does not let us use it.
        """
        told = ""
        while not await self._attempt(ATTEMPT_SECONDS):
            if self._trouble:
                news = f"cannot use {self._lease} yet: {self._trouble}"
            elif self._taken:
                news = f"standing by: {self._lease} is held by {self._holder}"
            else:
                news = told  # another one was faster, and the next look shows who
            if news != told:
                logger.log(logging.WARNING if self._trouble else logging.INFO, "%s", news)
                told = news
            await self._sleep(self._until_next_look())
        logger.info("active: this operator, %s, holds %s", self._identity, self._lease)

    async def hold(self) -> Never:
        """Renew the Lease until that is not possible any more.

        Raises:
            LeadershipLostError: somebody else holds it, or it could not be renewed in time.
        """
        pause = RENEW_SECONDS
        while True:
            await self._sleep(min(pause, self._left()))
            if self._left() > 0 and await self._attempt(min(ATTEMPT_SECONDS, self._left())):
                pause = RENEW_SECONDS
                continue
            if self._taken:
                self._renewed_at = -math.inf
                raise LeadershipLostError(f"{self._lease} was taken by {self._holder}")
            if not self.held:
                raise LeadershipLostError(
                    f"{self._lease} could not be renewed for {RENEW_DEADLINE_SECONDS:g} s: {self._trouble}"
                )
            pause = LOOK_SECONDS

    async def release(self) -> None:
        """Let the next one take over at once. Nothing is written when the Lease is not held any more."""
        if not self.held or self._seen is None:
            return
        self._renewed_at = -math.inf
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                await self._lease.write(self._seen, self._seen.tenure.released(self._now()))
        except (ApiError, TimeoutError) as error:
            logger.debug("%s was not released: %s", self._lease, error)

    @property
    def _holder(self) -> str:
        return self._seen.tenure.holder if self._seen else ""

    @property
    def _taken(self) -> bool:
        return self._holder not in {"", self._identity}

    @property
    def _expires_at(self) -> float:
        """When somebody else's tenure may be ended, unless it is seen to be renewed before."""
        return self._seen_at + self._seen.tenure.duration_seconds if self._seen else -math.inf

    def _left(self) -> float:
        return max(self._renewed_at + RENEW_DEADLINE_SECONDS - self._clock(), 0.0)

    def _until_next_look(self) -> float:
        look = LOOK_SECONDS * self._uniform(1 - JITTER, 1 + JITTER)
        expiry = self._expires_at - self._clock()
        return min(look, expiry) if self._taken and expiry > 0 else look

    async def _attempt(self, seconds: float) -> bool:
        """Acquire or renew; whether the Lease is held now."""
        began, self._trouble = self._clock(), ""
        try:
            async with asyncio.timeout(seconds):
                if not self._current:
                    self._see(await self._lease.read())
                if self._taken and self._clock() < self._expires_at:
                    return False
                self._see(await self._write())
        except (ApiError, TimeoutError) as error:
            lasting = isinstance(error, ApiError) and not isinstance(error, (TransientError, NotFoundError))
            if lasting and not self.held:
                raise LeadershipDeniedError(f"{self._lease} cannot be used: {error}") from None
            # a call without an answer may have come through as well: what is there now has to be read
            beaten = isinstance(error, ConflictError) and not self.held
            self._current, self._trouble = False, "" if beaten else str(error) or "no answer in time"
            return False
        self._current, self._renewed_at = True, began
        return True

    async def _write(self) -> SeenLease:
        now = self._now()
        if self._seen is None:
            first = Tenure(self._identity, DURATION_SECONDS, acquired=now, renewed=now, transitions=0)
            return await self._lease.create(first)
        tenure = self._seen.tenure
        if tenure.holder == self._identity:
            return await self._lease.write(self._seen, tenure.renewed_at(now))
        taken = tenure.taken_by(self._identity, duration_seconds=DURATION_SECONDS, now=now)
        return await self._lease.write(self._seen, taken)

    def _see(self, lease: SeenLease | None) -> None:
        if lease is None or self._seen is None or self._seen.tenure != lease.tenure:
            self._seen_at = self._clock()
        self._seen = lease
