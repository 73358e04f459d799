"""One run for one custom resource: gather, decide, apply, say so."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from isek.api import Resource

from isek_operator.cluster.children import Applied, Children
from isek_operator.cluster.client import Client
from isek_operator.cluster.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    NamespaceGoneError,
    NotFoundError,
    TransientError,
    UnauthorizedError,
    UnreachableError,
)
from isek_operator.cluster.events import Recorder
from isek_operator.decide.destinations import service_names
from isek_operator.decide.outcome import Outcome, OwnFate
from isek_operator.decide.reasons import Reason
from isek_operator.decide.references import (
    code_maps,
    needed_secret_keys,
    needed_secrets,
    referenced_claims,
)
from isek_operator.decide.seating import neighbours, runs
from isek_operator.decide.transitions import News
from isek_operator.decide.world import World
from isek_operator.intake import Intake
from isek_operator.keys import Key
from isek_operator.kinds import BY_NAME, CUSTOM_KINDS
from isek_operator.logs import about
from isek_operator.manifests.isek_mesh import MADE_BY_DEFAULT
from isek_operator.metrics import Metrics
from isek_operator.queue import Done, Retry
from isek_operator.reconcile.etcd_steps import EtcdSteps
from isek_operator.reconcile.named_objects import NamedObjects
from isek_operator.reconcile.referenced import ReferencedSecrets
from isek_operator.reconcile.status_writer import StatusWriter
from isek_operator.store import Store
from isek_operator.tracing import tracer
from isek_operator.turns import Turns

PROBLEM_SECONDS = 30.0
"""Until a child that could not be applied is tried again: what stands in its way is not watched."""
CODE_SECONDS = 30.0
"""How long the code of an agent is believed to be as it was read: whoever edits it waits for what comes of it."""
LEFTOVER_SECONDS = 5.0
FORBIDDEN_SECONDS = 60.0
UNREACHABLE_SECONDS = 5.0
"""While nobody answers or lets us in, waiting long spares nobody, and work is to go on soon after."""

FAILURES = frozenset({"blocked", "rejected", "fault"})
"""Ends of a run that trying again does not change."""
SETTLED = "success", Done()

logger = logging.getLogger(__name__)


class Engine:
    """Runs keys of the queue."""

    def __init__(
        self,
        *,
        decide: Callable[[Resource, World], Outcome],
        store: Store,
        intake: Intake,
        client: Client,
        recorder: Recorder,
        turns: Turns,
        metrics: Metrics,
        etcds: EtcdSteps,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._decide, self._store, self._intake, self._client = decide, store, intake, client
        self._recorder, self._turns, self._metrics = recorder, turns, metrics
        self._etcds = etcds
        self._status = StatusWriter(
            store=store, intake=intake, client=client, recorder=recorder, metrics=metrics, now=now
        )
        self._children = Children(client, store, metrics, remember=intake.observed)
        self._secrets = ReferencedSecrets(client, store)
        self._services = NamedObjects(BY_NAME["Service"], client, store)
        self._claims = NamedObjects(BY_NAME["PersistentVolumeClaim"], client, store)
        self._code = NamedObjects(BY_NAME["ConfigMap"], client, store, believed=CODE_SECONDS)

    async def handle(self, key: Key) -> Done | Retry:
        """Reconcile, and tell the queue what to make of the result. Never raises."""
        began = time.monotonic()
        with tracer().reconcile(key) as span, about(key), self._turns.during(key):
            outcome, result = await self._guarded(key)
            span.ended(outcome, failed=outcome in FAILURES)
        self._metrics.reconciles.labels(key.kind, outcome).inc()
        self._metrics.reconcile_seconds.labels(key.kind).observe(time.monotonic() - began)
        self._metrics.last_reconcile.set_to_current_time()
        return result

    def forget_unused(self) -> None:
        """Keep nothing about children that are no more, and what nobody names any more of others."""
        self._children.forget_gone()
        known = (self._store.parsed(key) for kind in CUSTOM_KINDS for key in self._store.keys(kind.kind))
        resources = [each for each in known if isinstance(each, Resource)]
        self._secrets.forget_all_but({name for each in resources for name in needed_secrets(each, self._store)})
        self._services.forget_all_but(service_names(resources, self._store))
        self._code.forget_all_but(code_maps(resources))
        self._claims.forget_all_but({name for each in resources for name in referenced_claims(each)})

    async def _guarded(self, key: Key) -> tuple[str, Done | Retry]:
        try:
            return await self.reconcile(key)
        except (NamespaceGoneError, NotFoundError) as error:
            logger.debug("it is being deleted: %s", error)
            return "gone", Done()
        except ConflictError as error:
            logger.debug("it changed meanwhile: %s", error)
            return "retry", Retry()
        except (UnreachableError, UnauthorizedError) as error:
            logger.warning("will be tried again: %s", error)
            return "retry", Retry(at_most=UNREACHABLE_SECONDS)
        except TransientError as error:
            logger.warning("will be tried again: %s", error)
            return "retry", Retry(error.retry_after)
        except ForbiddenError as error:
            logger.warning("%s; see the rules of the operator's ClusterRole", error)
            return "rejected", Retry(FORBIDDEN_SECONDS)
        except ApiError as error:
            logger.warning("the API server refuses it: %s", error)
            return "rejected", Retry(FORBIDDEN_SECONDS)
        except Exception:
            logger.exception("a fault of the operator; please report it")
            return "fault", Retry()

    async def reconcile(self, key: Key) -> tuple[str, Done]:
        """Bring one custom resource and what it owns to where its specification wants them.

        Returns ``success``, or ``blocked`` where a child cannot be brought there. Raises the errors of the API client.
        """
        judged, resource = self._store.get(key), self._store.parsed(key)
        if judged is None or resource is None:
            self._etcds.forget(key)
        if judged is None:
            if key.kind == "IsekMesh":
                self._metrics.forget_mesh(key.namespace, key.name)
            return SETTLED
        if isinstance(resource, str):
            await self._status.say_invalid(judged, resource)
            return SETTLED
        if resource is None or resource.metadata.deletion_timestamp is not None:
            return SETTLED  # its children go by garbage collection
        look_again = await self._read_unwatched(resource)
        with tracer().step("decide"):
            outcome = self._decide(resource, self._store)
        if outcome.fate is OwnFate.DELETE:
            await self._delete(resource)
            return SETTLED
        if outcome.fate is OwnFate.ADOPT:
            await self._adopt(resource)
        await self._make_companions(resource, outcome)
        with self._turns.taking(key, outcome.upgrade):
            applied = await self._children.bring(resource, outcome)
        for note in applied.put_back:
            self._recorder.record(resource, News("Warning", Reason.CHILD_PUT_BACK, note))
        follows = None
        if applied.changed:
            done = outcome.wish, outcome.secrets
            with tracer().step("decide"):
                outcome = self._decide(resource, self._store)  # what is said is to be about what is there now
            if done != (outcome.wish, outcome.secrets):
                follows = 0.0  # what was written opens the way for more
        if key.kind == "IsekMesh":
            self._metrics.certificates_expire(key.namespace, key.name, outcome.certificates)
        if follows is None and applied.problem is None and not applied.waiting_for:
            tended = await self._etcds.tend(resource, outcome, lambda: self._decide(resource, self._store))
            outcome, follows = tended.outcome, tended.look_again_after
        await self._status.say(judged, outcome, applied)
        after = _soonest(outcome.look_again_after, look_again, _problem_seconds(applied), follows)
        return "success" if applied.problem is None else "blocked", Done(after)

    async def _read_unwatched(self, resource: Resource) -> float | None:
        """Know what it names and no watch tells of; seconds until some of that is to be read again."""
        # the node looks for changes of it; to whoever else is on it, the node's pods tell
        await self._code.read(code_maps(neighbours(resource, self._store)))
        return _soonest(
            await self._secrets.read(resource.namespace, needed_secret_keys(resource, self._store)),
            await self._services.read(service_names(runs(resource, self._store), self._store)),
            await self._code.read(code_maps(runs(resource, self._store))),
            await self._claims.read(referenced_claims(resource)),
        )

    async def _make_companions(self, resource: Resource, outcome: Outcome) -> None:
        for manifest in outcome.companions:
            kind, metadata = BY_NAME[manifest["kind"]], manifest["metadata"]
            if self._store.get(Key(kind.kind, metadata["namespace"], metadata["name"])) is not None:
                continue
            try:
                created = await self._client.create(kind, manifest)
            except ConflictError:
                found = await self._client.get(kind, metadata["namespace"], metadata["name"])
                if found is None:
                    raise  # it was not in the way
                self._intake.observed(found)  # somebody was faster
                continue
            logger.info("created %s %s for %s", kind.kind, metadata["name"], resource.name)
            self._intake.observed(created)
            note = f"{kind.kind} {metadata['name']!r} was made, since the namespace had none"
            self._recorder.record(resource, News("Normal", Reason.DEFAULT_MESH_MADE, note))

    async def _delete(self, resource: Resource) -> None:
        key = _key(resource)
        logger.info("deleting it: the operator made it and nobody uses it any more")
        await self._client.delete(
            BY_NAME[key.kind], key, uid=resource.metadata.uid, version=resource.metadata.resource_version
        )

    async def _adopt(self, resource: Resource) -> None:
        key = _key(resource)
        change = {"metadata": {"labels": {MADE_BY_DEFAULT: None}}}
        self._intake.observed(await self._client.merge(BY_NAME[key.kind], key, change))


def _key(resource: Resource) -> Key:
    return Key(resource.kind, resource.namespace, resource.name)


def _problem_seconds(applied: Applied) -> float | None:
    if applied.problem is not None:
        return PROBLEM_SECONDS
    return LEFTOVER_SECONDS if applied.waiting_for else None


def _soonest(*seconds: float | None) -> float | None:
    return min((each for each in seconds if each is not None), default=None)
