"""Which replica of an agent is asked."""

import hashlib
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from isek.asking import BEGUN_BY
from isek.registry.record import NodeRecord

HALF_LIFE_SECONDS = 1.0
"""What a node said about its load counts half after so long."""
UNREACHABLE_LOAD = 100.0
FORGET_SECONDS = 60.0
REMEMBERED = 1_000

SAME_ZONE, SAME_REGION, SAME_CLUSTER, ELSEWHERE = 0.0, 2.0, 4.0, 16.0
"""How many more runs a nearer node may have under way before one further away is asked. A call over a relay takes some
milliseconds more, a run seconds; what counts is who pays for traffic between zones, and what a cut would take along."""


class Loads:
    """How busy the other nodes are, as far as this one can tell: its own calls under way, and what answers said."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._calls: Counter[str] = Counter()
        self._reports: dict[str, tuple[float, float]] = {}

    def of(self, node_id: str) -> float:
        """The load of a node; 0 when nothing is known."""
        load, at = self._reports.get(node_id, (0.0, 0.0))
        return self._calls[node_id] + load * math.exp2((at - self._clock()) / HALF_LIFE_SECONDS)

    @contextmanager
    def calling(self, node_id: str) -> Iterator[None]:
        """Count a call under way."""
        self._calls[node_id] += 1
        try:
            yield
        finally:
            self._calls[node_id] -= 1
            if not self._calls[node_id]:
                del self._calls[node_id]

    def report(self, node_id: str, load: float) -> None:
        """Remember what a node said about itself."""
        now = self._clock()
        if len(self._reports) >= REMEMBERED:
            self._reports = {node: said for node, said in self._reports.items() if now - said[1] < FORGET_SECONDS}
        self._reports[node_id] = (load, now)

    def unreachable(self, node_id: str) -> None:
        """Prefer others for some seconds."""
        self.report(node_id, UNREACHABLE_LOAD)


def nearest(replicas: Sequence[NodeRecord], here: NodeRecord, loads: Loads) -> NodeRecord:
    """The less loaded of two of the nearest, or of two others where these are busier by more than their distance.

    Two, taken by chance, are nearly as even as asking all, without all callers choosing the same.
    """
    if len(replicas) == 1:
        return replicas[0]
    distances = [_distance(here, replica) for replica in replicas]
    near = [replica for replica, distance in zip(replicas, distances, strict=True) if distance == min(distances)]
    far = [replica for replica, distance in zip(replicas, distances, strict=True) if distance != min(distances)]
    candidates = [each for group in (near, far) for each in random.sample(group, min(2, len(group)))]
    return min(candidates, key=lambda replica: loads.of(replica.node_id) + _distance(here, replica))


def _distance(here: NodeRecord, there: NodeRecord) -> float:
    if here.cluster != there.cluster:
        return ELSEWHERE
    if here.region != there.region:
        return SAME_CLUSTER
    return SAME_ZONE if here.zone == there.zone else SAME_REGION


def of_session(replicas: Sequence[NodeRecord], session_id: str) -> NodeRecord:
    """The replica that a session belongs to, by rendezvous hashing: every caller comes to the same one, and a replica
    that comes or goes moves only its own sessions. Who is asked, and by whom, is left out, so that agents that share
    nodes share a session's node."""
    conversation = session_id.partition(BEGUN_BY)[0]

    def weight(replica: NodeRecord) -> bytes:
        return hashlib.blake2b(f"{conversation}\0{replica.node_id}".encode(), digest_size=8).digest()

    return max(replicas, key=weight)
