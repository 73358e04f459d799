"""Kubernetes events about custom resources, for ``kubectl describe``."""

import asyncio
import logging
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from isek.api import API_VERSION, Resource

from isek_operator.cluster.client import Client
from isek_operator.cluster.errors import ApiError, NotFoundError
from isek_operator.decide.outcome import Manifest
from isek_operator.decide.transitions import News
from isek_operator.keys import Key
from isek_operator.kinds import EVENT
from isek_operator.logs import about
from isek_operator.metrics import Metrics

MOST_WAITING = 512
"""Past it events are dropped: they are news, and must not hold up what they tell of."""
LONGEST_NOTE = 1024
CONTROLLER = "isek.io/operator"
SERIES_SECONDS = 360.0
"""The same news within this time of the last is one series (as client-go's recorder has it)."""
COUNT_UP_SECONDS = 60.0
"""A series is counted up on the API server no more often than this."""
MOST_SERIES = 2048

logger = logging.getLogger(__name__)


@dataclass
class _Series:
    """An event that was sent, and how often it has come since."""

    sent: Manifest
    count: int
    seen_at: float
    written_at: float


class Recorder:
    """Sends events one at a time, behind everything else. One that comes again is counted up, not sent again."""

    def __init__(self, client: Client, metrics: Metrics, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._metrics, self._clock = client, metrics, clock
        self._waiting: asyncio.Queue[Manifest] = asyncio.Queue(MOST_WAITING)
        self._series: OrderedDict[tuple[str, ...], _Series] = OrderedDict()

    def record(self, resource: Resource, news: News) -> None:
        """Have an event sent, when there is time for it."""
        try:
            self._waiting.put_nowait(event(resource, news, now=datetime.now(UTC)))
        except asyncio.QueueFull:
            self._metrics.events_dropped.inc()

    async def run(self) -> None:
        """Send what is recorded, until cancelled."""
        while True:
            manifest = await self._waiting.get()
            regarding = manifest["regarding"]
            with about(Key(regarding["kind"], regarding["namespace"], regarding["name"])):
                try:
                    await self._send(manifest)
                except ApiError as error:
                    self._metrics.events_dropped.inc()
                    logger.debug("an event was not sent: %s", error)

    async def _send(self, manifest: Manifest) -> None:
        same, now = _same(manifest), self._clock()
        series = self._series.get(same)
        if series is not None and now < series.seen_at + SERIES_SECONDS:
            series.count, series.seen_at = series.count + 1, now
            if now < series.written_at + COUNT_UP_SECONDS and series.count > 2:
                return
            series.written_at = now
            try:
                await self._count_up(series, manifest["eventTime"])
            except NotFoundError:  # its time on the API server was over
                pass
            else:
                return
        sent = await self._client.create(EVENT, manifest)
        self._series[same] = _Series(sent, 1, now, now)
        self._series.move_to_end(same)
        if len(self._series) > MOST_SERIES:
            self._series.popitem(last=False)

    async def _count_up(self, series: _Series, at: str) -> None:
        metadata = series.sent["metadata"]
        change = {"series": {"count": series.count, "lastObservedTime": at}}
        await self._client.merge(EVENT, Key(EVENT.kind, metadata["namespace"], metadata["name"]), change)


def event(resource: Resource, news: News, *, now: datetime) -> Manifest:
    """An Event (events.k8s.io/v1) about a custom resource."""
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"generateName": f"{resource.name}-", "namespace": resource.namespace},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": CONTROLLER,
        "reportingInstance": socket.gethostname()[:128],
        "action": "Reconcile",
        "type": news.type,
        "reason": news.reason,
        "note": (news.note or news.reason)[:LONGEST_NOTE],
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": resource.kind,
            "namespace": resource.namespace,
            "name": resource.name,
            "uid": resource.metadata.uid,
            "resourceVersion": resource.metadata.resource_version,
        },
    }


def _same(manifest: Manifest) -> tuple[str, ...]:
    return (manifest["regarding"]["uid"], manifest["type"], manifest["reason"], manifest["note"])
