"""Lists: all of it at start, and again whenever a watch begins anew or it is time for a comparison."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence

from isek_operator.cluster.client import Client
from isek_operator.cluster.errors import ApiError
from isek_operator.decide.outcome import Manifest
from isek_operator.intake import Intake
from isek_operator.keys import Key, key_of
from isek_operator.kinds import ApiKind, watched_kinds
from isek_operator.metrics import Metrics

SWEEP_SECONDS = 600.0
RETRY_SECONDS = 2.0

logger = logging.getLogger(__name__)


class Synchroniser:
    """Keeps the store from missing something for long.

    What was deleted between a broken watch and the list that follows it is told by nobody: what a list does not hold is
    gone. The first lists fill the store, which ``filled`` then says.
    """

    def __init__(
        self,
        *,
        client: Client,
        intake: Intake,
        metrics: Metrics,
        namespaces: Sequence[str],
        filled: asyncio.Event,
        swept: Callable[[], None],
    ) -> None:
        self._client, self._intake, self._metrics = client, intake, metrics
        self._filled, self._swept = filled, swept
        self._places = [(kind, namespace) for kind in watched_kinds(namespaces) for namespace in namespaces or (None,)]
        self._unchecked, self._unread = list(self._places), set(self._places)

    # --- what the watches tell --------------------------------------------------------------------------------------

    def observed(self, manifest: Manifest) -> None:
        """An object is there, as given."""
        self._intake.observed(manifest)

    def gone(self, key: Key, version: int) -> None:
        """An object is gone, as of that resource version."""
        self._intake.gone(key, version)

    def listed(self, kind: ApiKind, namespace: str | None, present: Iterable[Key], version: int) -> None:
        """A watch has begun, with a list of its kind in a namespace or in all: what is missing there is gone."""
        self._intake.listed(kind.kind, present, version, (namespace,) if namespace else ())
        self._metrics.watch_restarts.labels(kind.kind).inc()
        self._unread.discard((kind, namespace))
        if not self._unread:
            self._filled.set()

    # --- what it asks for itself ------------------------------------------------------------------------------------

    async def check(self) -> None:
        """See that everything can be listed; called again after an error, go on where it ended.

        Raises the errors of the API client.
        """
        while self._unchecked:
            await self._client.check(*self._unchecked[-1])
            self._unchecked.pop()

    async def run(self) -> None:
        """Sweep every ten minutes, until cancelled."""
        pause = SWEEP_SECONDS
        while True:
            await asyncio.sleep(pause)
            try:
                await self.sweep()
                pause = SWEEP_SECONDS
            except ApiError as error:
                logger.warning("could not compare with the cluster, will try again: %s", error)
                pause = RETRY_SECONDS

    async def sweep(self) -> None:
        """Forget what is not there any more, and say so (``swept``). Raises the errors of the API client."""
        began = time.monotonic()
        for kind, namespace in self._places:
            listing = await self._client.list_metadata(kind, namespace)
            present = map(key_of, listing.items)
            self._intake.listed(kind.kind, present, listing.version, (namespace,) if namespace else ())
        self._swept()
        self._metrics.sweep_seconds.set(time.monotonic() - began)
