"""Lists: all of it at start, and afterwards what went while no watch was looking."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from isek_operator.cluster.client import Client
from isek_operator.cluster.errors import ApiError
from isek_operator.intake import Intake
from isek_operator.keys import key_of
from isek_operator.kinds import BY_NAME, ApiKind, watched_kinds
from isek_operator.metrics import Metrics
from isek_operator.store import Store

AFTER_RELIST_SECONDS = 1.0
"""A watch that broke begins with a list of its own, which comes as many events: one comparison for all of them."""
SWEEP_SECONDS = 600.0
RETRY_SECONDS = 2.0

_KINDS = {kind.plural: kind.kind for kind in BY_NAME.values()}

logger = logging.getLogger(__name__)


class Synchroniser:
    """Keeps the store from missing something for long.

    Watches alone do not do: what was deleted between a broken watch and the list that follows it is told by nobody.
    """

    def __init__(
        self,
        *,
        client: Client,
        store: Store,
        intake: Intake,
        metrics: Metrics,
        namespaces: Sequence[str],
        swept: Callable[[], None],
    ) -> None:
        self._client, self._store, self._intake = client, store, intake
        self._metrics, self._namespaces, self._swept = metrics, tuple(namespaces), swept
        self._relisted = asyncio.Event()
        self._read: set[tuple[str, str | None]] = set()

    async def first(self) -> None:
        """Fill the store; called again after an error, go on where it ended. Raises the errors of the API client."""
        for kind in watched_kinds(self._namespaces):
            for namespace in self._namespaces or (None,):
                if (kind.kind, namespace) in self._read:
                    continue
                for manifest in (await self._client.list(kind, namespace)).items:
                    # not through the intake: it would ask for dependents in a world that is not complete
                    self._store.put(manifest)
                self._read.add((kind.kind, namespace))

    def relisted(self, plural: str) -> None:
        """A watch has begun anew, with a list of that resource."""
        if (kind := _KINDS.get(plural)) is not None:
            self._metrics.watch_restarts.labels(kind).inc()
        self._relisted.set()

    async def run(self) -> None:
        """Sweep after every new beginning of a watch, and every ten minutes, until cancelled."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._relisted.wait(), SWEEP_SECONDS)
                await asyncio.sleep(AFTER_RELIST_SECONDS)
            self._relisted.clear()
            try:
                await self.sweep()
            except ApiError as error:
                logger.warning("could not compare with the cluster, will try again: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
                self._relisted.set()

    async def sweep(self) -> None:
        """Forget what is not there any more, and say so (``swept``). Raises the errors of the API client."""
        began = time.monotonic()
        for kind in watched_kinds(self._namespaces):
            await self._sweep_kind(kind)
        self._swept()
        self._metrics.sweep_seconds.set(time.monotonic() - began)

    async def _sweep_kind(self, kind: ApiKind) -> None:
        for namespace in self._namespaces or (None,):
            listing = await self._client.list(kind, namespace, metadata_only=True)
            present = [key_of(manifest) for manifest in listing.items]
            self._intake.listed(kind.kind, present, listing.version, (namespace,) if namespace else ())
