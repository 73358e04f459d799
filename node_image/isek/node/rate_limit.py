"""How often somebody may call."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from isek.api.access import RateLimit

MAX_CALLERS = 10_000
"""Who has not called for the longest time is forgotten beyond it, and begins anew."""


class RateLimits:
    """A bucket of calls for each caller: it holds ``burst`` of them, and fills evenly."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def wait(self, caller: Hashable, limit: RateLimit) -> float:
        """Take a call out of the caller's bucket; where it is empty, the seconds until there is one in it."""
        now, per_second = self._clock(), limit.requests_per_minute / 60
        left, seen = self._buckets.pop(caller, (float(limit.burst), now))
        left = min(left + (now - seen) * per_second, limit.burst)
        missing = max(1 - left, 0.0)
        self._buckets[caller] = (left if missing else left - 1, now)
        if len(self._buckets) > MAX_CALLERS:
            self._buckets.popitem(last=False)
        return missing / per_second
