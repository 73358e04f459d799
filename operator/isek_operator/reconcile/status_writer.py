"""Says what came of a run: in the status, by events where that has changed, and in the log where somebody must act."""

import logging
from collections.abc import Callable
from datetime import datetime

from isek.api import Resource

from isek_operator.cluster.children import Applied
from isek_operator.cluster.client import Client
from isek_operator.cluster.errors import ConflictError
from isek_operator.cluster.events import Recorder
from isek_operator.cluster.status import next_status, overridden, patch, waiting
from isek_operator.decide.outcome import Finding, Manifest, Outcome
from isek_operator.decide.reasons import Reason
from isek_operator.decide.transitions import transitions
from isek_operator.intake import Intake
from isek_operator.keys import Key, key_of
from isek_operator.kinds import BY_NAME
from isek_operator.metrics import Metrics
from isek_operator.store import Store

logger = logging.getLogger(__name__)


class StatusWriter:
    """Writes the status of a custom resource when it differs from what is there."""

    def __init__(
        self,
        *,
        store: Store,
        intake: Intake,
        client: Client,
        recorder: Recorder,
        metrics: Metrics,
        now: Callable[[], datetime],
    ) -> None:
        self._store, self._intake, self._client = store, intake, client
        self._recorder, self._metrics, self._now = recorder, metrics, now

    async def say(self, judged: Manifest, outcome: Outcome, applied: Applied) -> None:
        """What was decided about ``judged``, and what applying it has shown."""
        findings = outcome.findings
        if applied.problem is not None:
            findings = overridden(findings, applied.problem.reason, applied.problem.message)
        elif applied.waiting_for:
            findings = waiting(findings, applied.waiting_for)
        before, after = await self._write(judged, findings, outcome.status)
        if applied.problem is not None and _stalled(before) != _stalled(after):
            logger.warning("%s", applied.problem.message)

    async def say_invalid(self, judged: Manifest, complaint: str) -> None:
        """That ``judged`` cannot be read. Its pods go on as they are."""
        message = f"{complaint}; are the CRDs of the operator's version?"
        findings = overridden((), Reason.INVALID_SPEC, message)
        await self._write(judged, findings, judged.get("status") or {})

    async def _write(
        self, judged: Manifest, findings: tuple[Finding, ...], fields: Manifest
    ) -> tuple[Manifest, Manifest]:
        """Write what follows from ``judged``, which may have changed since. Returns the status of before and of now."""
        key, generation = key_of(judged), judged["metadata"]["generation"]
        live = self._store.get(key)
        if live is None:
            return {}, {}
        if live["metadata"]["uid"] != judged["metadata"]["uid"]:
            raise ConflictError(f"{key} was made anew")
        old = live.get("status") or {}
        new = next_status(old, findings, fields, generation=generation, now=self._now())
        change = patch(old, new)
        if change is not None:
            # not onto a successor of the same name that we know nothing of: it would look as if it had been judged
            change["metadata"] = {"resourceVersion": live["metadata"]["resourceVersion"]}
            written = await self._client.merge(BY_NAME[key.kind], key, change, subresource="status")
            self._metrics.writes.labels(key.kind, "status").inc()
            self._intake.observed(written, key)
            self._tell_transition(key, old, new)
        return old, new

    def _tell_transition(self, key: Key, old: Manifest, new: Manifest) -> None:
        resource = self._store.parsed(key)
        if isinstance(resource, Resource):
            for news in transitions(old.get("conditions") or (), new["conditions"]):
                self._recorder.record(resource, news)


def _stalled(status: Manifest) -> str | None:
    conditions = status.get("conditions") or ()
    return next((each["message"] for each in conditions if each["type"] == "Stalled"), None)
