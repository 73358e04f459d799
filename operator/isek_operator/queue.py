"""A work queue by key: one run per key at a time, further additions coalesce, failures back off."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from isek_operator.keys import Key
from isek_operator.metrics import Metrics

FIRST_BACK_OFF = 1.0
LONGEST_BACK_OFF = 300.0
JITTER = 0.2
"""A back-off is longer or shorter by up to this share, so that what failed together does not come back together."""


@dataclass(frozen=True)
class Done:
    """The run succeeded."""

    look_again_after: float | None = None
    """Seconds until the next run though nothing changes."""


@dataclass(frozen=True)
class Retry:
    """The run failed for a reason that may pass."""

    at_least: float = 0.0
    """Seconds to wait even when the back-off is shorter."""
    at_most: float = LONGEST_BACK_OFF
    """Seconds to wait even when the back-off is longer."""


class Timer(Protocol):
    """What ``call_later`` gives."""

    def cancel(self) -> None:
        """Forget it."""

    def when(self) -> float:
        """When it is due, on the clock of the loop."""


def _call_later(seconds: float, callback: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(seconds, callback)


class WorkQueue:
    """Keys that are due, in the order in which they became due.

    A key added while it is being worked on is due again once that run ends (as in client-go's workqueue).
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
        call_later: Callable[[float, Callable[[], None]], Timer] = _call_later,
    ) -> None:
        self._metrics = metrics
        self._clock, self._uniform, self._call_later = clock, uniform, call_later
        self._waiting: asyncio.Queue[Key | None] = asyncio.Queue()
        self._due_since: dict[Key, float] = {}
        self._working: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, Timer] = {}
        self._workers: list[asyncio.Task[None]] = []
        self._stopping = False

    def add(self, key: Key) -> None:
        """The key is due now."""
        if key in self._due_since:
            return
        self._due_since[key] = self._clock()
        self._metrics.queue_adds.inc()
        if key not in self._working:
            self._enqueue(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """The key is due in that many seconds, or earlier if that was said before."""
        timer = self._call_later(seconds, lambda: self._timer_fired(key))
        earlier = self._timers.get(key)
        if earlier is not None and earlier.when() <= timer.when():
            timer.cancel()
            return
        if earlier is not None:
            earlier.cancel()
        self._timers[key] = timer

    def start(self, handle: Callable[[Key], Awaitable[Done | Retry]], *, workers: int) -> None:
        """Work off the queue by that many runs at a time. ``handle`` does not raise."""
        self._workers += [asyncio.create_task(self._work(handle), name=f"worker-{index}") for index in range(workers)]

    async def stop(self, *, grace: float) -> None:
        """Begin no further run; those under way get ``grace`` seconds to end."""
        self._stopping = True
        for timer in self._timers.values():
            timer.cancel()
        for _ in self._workers:
            self._waiting.put_nowait(None)
        if self._workers:
            _, late = await asyncio.wait(self._workers, timeout=grace)
            for worker in late:
                worker.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def __len__(self) -> int:
        return len(self._due_since)

    @property
    def idle(self) -> bool:
        """Whether nothing is due and nothing is being worked on (timers may still run)."""
        return not self._due_since and not self._working

    @property
    def longest_wait(self) -> float:
        """Seconds since the key that is due longest became due; 0: none is."""
        return self._clock() - next(iter(self._due_since.values()), self._clock())

    def _enqueue(self, key: Key) -> None:
        self._waiting.put_nowait(key)
        self._metrics.queue_depth.set(len(self._due_since))

    def _timer_fired(self, key: Key) -> None:
        del self._timers[key]
        self.add(key)

    async def _work(self, handle: Callable[[Key], Awaitable[Done | Retry]]) -> None:
        while (key := await self._waiting.get()) is not None and not self._stopping:
            began = self._clock()
            self._metrics.queue_wait.observe(began - self._due_since.pop(key))
            self._metrics.queue_depth.set(len(self._due_since))
            self._working.add(key)
            try:
                self._settle(key, await handle(key))
            finally:
                self._metrics.queue_work.observe(self._clock() - began)
                self._working.discard(key)
                if key in self._due_since:
                    self._enqueue(key)
            await asyncio.sleep(0)  # a run that finds all as wished waits for nothing: thousands would cost the Lease

    def _settle(self, key: Key, result: Done | Retry) -> None:
        if isinstance(result, Retry):
            self._metrics.queue_retries.inc()
            self.add_after(key, max(result.at_least, min(result.at_most, self._back_off(key))))
            return
        self._failures.pop(key, None)
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        if result.look_again_after is not None:
            self.add_after(key, result.look_again_after)

    def _back_off(self, key: Key) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        seconds = min(FIRST_BACK_OFF * 2.0 ** min(failures, 16), LONGEST_BACK_OFF)
        return seconds * self._uniform(1 - JITTER, 1 + JITTER)
