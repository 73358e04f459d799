"""Kubernetes events about custom resources, for ``kubectl describe``."""

import asyncio
import logging
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from isek.api import API_VERSION, Resource

from isek_operator.cluster.client import Client
from isek_operator.cluster.errors import ApiError
from isek_operator.decide.outcome import Manifest
from isek_operator.kinds import EVENT
from isek_operator.metrics import Metrics

MOST_WAITING = 512
"""Past it events are dropped: they are news, and must not hold up what they tell of."""
LONGEST_NOTE = 1024
CONTROLLER = "isek.io/operator"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recorder:
    """Sends events one at a time, behind everything else."""

    client: Client
    metrics: Metrics
    waiting: asyncio.Queue[Manifest]

    @classmethod
    def of(cls, client: Client, metrics: Metrics) -> "Recorder":
        """A recorder with nothing to send."""
        return cls(client, metrics, asyncio.Queue(MOST_WAITING))

    def record(self, about: Resource, type_: Literal["Normal", "Warning"], reason: str, note: str) -> None:
        """Have an event sent, when there is time for it."""
        try:
            self.waiting.put_nowait(event(about, type_, reason, note, now=datetime.now(UTC)))
        except asyncio.QueueFull:
            self.metrics.events_dropped.inc()

    async def run(self) -> None:
        """Send what is recorded, until cancelled."""
        while True:
            manifest = await self.waiting.get()
            try:
                await self.client.create(EVENT, manifest)
            except ApiError as error:
                self.metrics.events_dropped.inc()
                logger.debug("an event was not sent: %s", error)


def event(about: Resource, type_: Literal["Normal", "Warning"], reason: str, note: str, *, now: datetime) -> Manifest:
    """An Event (events.k8s.io/v1) about a custom resource."""
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"generateName": f"{about.name}-", "namespace": about.namespace},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": CONTROLLER,
        "reportingInstance": socket.gethostname()[:128],
        "action": "Reconcile",
        "type": type_,
        "reason": reason,
        "note": note[:LONGEST_NOTE],
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": about.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.metadata.uid,
            "resourceVersion": about.metadata.resource_version,
        },
    }
