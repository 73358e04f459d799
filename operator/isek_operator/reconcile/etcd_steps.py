"""Takes the steps that a decision asks for with an etcd: each once more decided by what etcd says right then."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from isek.api import Resource

from isek_operator.cluster.client import Client
from isek_operator.cluster.errors import ConflictError, NotFoundError
from isek_operator.cluster.events import Recorder
from isek_operator.decide.etcd.steps import (
    Action,
    AddLearner,
    Compact,
    Defragment,
    DeletePod,
    DisarmSpace,
    EtcdStep,
    MoveLeader,
    Promote,
    RemoveMember,
    RestrictNodes,
)
from isek_operator.decide.etcd.view import EtcdAccess
from isek_operator.decide.outcome import Finding, Outcome
from isek_operator.decide.transitions import News
from isek_operator.keys import Key
from isek_operator.kinds import BY_NAME
from isek_operator.reconcile.etcd_observer import EtcdObserver
from isek_operator.store import Store

REFUSED_SECONDS = 2.0
"""Until a step is tried again that etcd refused: a member that has just started counts after five seconds only."""
UPKEEP_SECONDS = 60.0
"""Until the same upkeep is tried again, whether it failed or made no difference: a member answers nobody meanwhile."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tended:
    """What came of it."""

    outcome: Outcome
    """The decision that what is said is to follow from."""
    look_again_after: float | None = None


class EtcdSteps:
    """Takes one step at a time for one mesh."""

    def __init__(self, client: Client, store: Store, recorder: Recorder, observer: EtcdObserver) -> None:
        self._client, self._store, self._recorder, self._observer = client, store, recorder, observer
        self._upkeep: dict[Key, dict[Action, float]] = {}
        """When each was last tried, on the clock that only goes on."""

    async def tend(self, mesh: Resource, outcome: Outcome, decide: Callable[[], Outcome]) -> Tended:
        """Ask etcd, decide anew, and take the step if it is still the one to take.

        Raises the errors of the API client.
        """
        key = Key(mesh.kind, mesh.namespace, mesh.name)
        self._observer.follow(key, outcome.etcd)
        if outcome.etcd is None or outcome.etcd_step is None:
            return Tended(outcome)
        if (rest := self._rest(key, outcome.etcd_step.action)) > 0:
            return Tended(outcome, rest)
        await self._observer.ask(key)
        again = decide()
        if again.etcd_step != outcome.etcd_step or again.etcd is None:
            return Tended(again, 0.0)
        from isek_operator.cluster.etcd import EtcdError  # noqa: PLC0415

        try:
            await self._take(key, again.etcd, outcome.etcd_step)
        except EtcdError as error:
            logger.info("not done yet: %s: %s", outcome.etcd_step.note, error)
            return Tended(_refused(again, str(error)), self._rest(key, outcome.etcd_step.action) or REFUSED_SECONDS)
        logger.info("done: %s", outcome.etcd_step.note)
        self._recorder.record(mesh, News("Normal", outcome.etcd_step.reason, outcome.etcd_step.note))
        await self._observer.ask(key)
        return Tended(again, self._rest(key, outcome.etcd_step.action))

    def forget(self, mesh: Key) -> None:
        """The mesh is gone: ask its etcd no more."""
        self._observer.follow(mesh, None)
        self._upkeep.pop(mesh, None)

    def _rest(self, mesh: Key, action: Action) -> float:
        """Seconds for which an action is to be left alone."""
        tried = self._upkeep.get(mesh, {}).get(action)
        return 0.0 if tried is None else max(tried + UPKEEP_SECONDS - time.monotonic(), 0.0)

    async def _take(self, mesh: Key, access: EtcdAccess, step: EtcdStep) -> None:
        if isinstance(step.action, DeletePod):
            pod = Key("Pod", mesh.namespace, step.action.name)
            try:
                await self._client.delete(BY_NAME["Pod"], pod, uid=step.action.uid)
            except (NotFoundError, ConflictError):
                return  # it is another one already
            return
        if isinstance(step.action, Compact | Defragment):
            self._upkeep.setdefault(mesh, {})[step.action] = time.monotonic()
        view = self._store.etcd(mesh.namespace, mesh.name)
        names = {each.id: each.name for each in view.members} if view else {}
        async with await self._observer.admin(mesh, access) as admin:
            answering = [each for each in (view.members if view else ()) if each.reachable]
            # the leader first: a member that hands a promotion on to it is refused, and goes on trying (etcd 3.6)
            admin.prefer(each.name for each in sorted(answering, key=lambda each: each.id != each.leader))
            self._client.check_active(f"a step of the etcd of {mesh}")
            match step.action:
                case RestrictNodes(prefix):
                    await admin.restrict(access.role, prefix)
                case AddLearner(peer_url):
                    await admin.add_learner(peer_url)
                case Promote(member):
                    await admin.promote(member)
                case MoveLeader(leader, to):
                    await admin.move_leader(names[leader], to)
                case RemoveMember(member):
                    await admin.remove(member)
                case Defragment(member):
                    await admin.defragment(names[member])
                case Compact():
                    await admin.compact()
                case DisarmSpace(members):
                    for member in members:
                        await admin.disarm_space(member)


def _refused(outcome: Outcome, said: str) -> Outcome:
    """The outcome, saying what etcd said."""
    return replace(outcome, findings=tuple(_with(each, said) for each in outcome.findings))


def _with(finding: Finding, said: str) -> Finding:
    unsettled = finding.type == "Reconciling" or (finding.type == "Ready" and not finding.status)
    return replace(finding, message=f"{finding.message}; not done yet: {said}") if unsettled else finding
