"""How far a Deployment has come."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from isek_operator.decide.conditions import Verdict
from isek_operator.decide.outcome import Manifest, Upgrade
from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.upgrade import NO_UPGRADE, Turn, config_hash, marked, turn
from isek_operator.settings import OperatorSettings

OUTDATED = "; they are of an earlier version of the operator and are replaced when others are done"


@dataclass(frozen=True)
class Rollout:
    """A Deployment as it is, beside what it is to be."""

    live: Manifest | None
    """None: it is not there."""
    wished: Manifest | None
    """None: there is none to be."""
    pods: str
    """Label selector of its pods, for people."""
    turn: Turn = NO_UPGRADE

    @classmethod
    def of(
        cls,
        live: Manifest | None,
        wished: Manifest | None,
        pods: str,
        under_way: Mapping[str, int],
        settings: OperatorSettings,
    ) -> "Rollout":
        """Of a Deployment that is to stay as it is until its turn comes to be replaced."""
        its_turn = turn(live, wished, under_way, settings) if wished else NO_UPGRADE
        return cls(live, live if its_turn.upgrade is Upgrade.WAITS else wished, pods, its_turn)

    def wish(self, made: tuple[Manifest, ...]) -> tuple[Manifest, ...] | None:
        """What is to become of all that was made for the workload; None: leave it as it is."""
        if self._waits:
            return None
        return tuple(marked(each, self.turn.mark) if each["kind"] == "Deployment" else each for each in made)

    @property
    def replicas(self) -> int:
        """Pods that exist."""
        return self._count("replicas")

    @property
    def ready_replicas(self) -> int:
        """Pods that answer."""
        return self._count("readyReplicas")

    @property
    def summary(self) -> dict[str, str]:
        """The status' count of pods for people; none where nothing runs and nothing is to."""
        wanted = self._wanted if self.wished else ((self.live or {}).get("spec") or {}).get("replicas")
        return {} if wanted is None else {"pods": f"{self.ready_replicas}/{wanted}"}

    @property
    def complete(self) -> bool:
        """Whether all pods are of the wished specification, and answer."""
        return self._current and self.ready_replicas >= self._wanted

    def verdict(self) -> Verdict:
        """Whether the pods are ready, and why not."""
        if self.complete and not self._wanted:
            return Verdict.done(Reason.SCALED_TO_ZERO, "no pod is asked for; set spec.replicas to get answers")
        if self.complete:
            answering = f"{self.ready_replicas} of {self._wanted} pods answer"
            return Verdict.done(Reason.ALL_REPLICAS_READY, answering + (OUTDATED if self._waits else ""))
        answering = f"{min(self.ready_replicas, self._wanted)} of {self._wanted} pods answer"
        see = f"see kubectl describe pods -l {self.pods}"
        failure, progressing = self._condition("ReplicaFailure"), self._condition("Progressing")
        if failure.get("status") == "True":
            said = failure.get("message", "pods cannot be made")
            return Verdict.moving(Reason.REPLICAS_NOT_READY, f"{answering}: {said}")
        if progressing.get("reason") == "ProgressDeadlineExceeded" and self._observed:
            message = f"{answering}, and there was no progress for minutes; {see}"
            return Verdict.stuck(Problem(Reason.REPLICAS_NOT_READY, message))
        if self._current and progressing.get("reason") == "NewReplicaSetAvailable":
            return Verdict.moving(Reason.REPLICAS_NOT_READY, f"{answering}; {see}")
        return Verdict.moving(Reason.ROLLING_OUT, f"{answering}; pods with the latest specification are on their way")

    @property
    def _waits(self) -> bool:
        return self.turn.upgrade is Upgrade.WAITS

    @property
    def _wanted(self) -> int:
        return self.wished["spec"]["replicas"] if self.wished else 0

    @property
    def _status(self) -> dict[str, Any]:
        return (self.live or {}).get("status") or {}

    def _count(self, field: str) -> int:
        return self._status.get(field) or 0

    @property
    def _observed(self) -> bool:
        """Whether the live Deployment is the wished one, and its status is about it."""
        if self.live is None or self.wished is None:
            return False
        return (
            config_hash(self.live) == config_hash(self.wished)
            and self.live["spec"].get("replicas") == self._wanted
            and self._count("observedGeneration") >= self.live["metadata"].get("generation", 0)
        )

    @property
    def _current(self) -> bool:
        """Whether all pods that exist are of the wished specification."""
        return self._observed and self._count("updatedReplicas") == self.replicas == self._wanted

    def _condition(self, kind: str) -> dict[str, Any]:
        return next((each for each in self._status.get("conditions") or () if each.get("type") == kind), {})


def child(children: Iterable[Manifest], kind: str, name: str) -> Manifest | None:
    """The child of that kind and name."""
    for each in children:
        if each.get("kind") == kind and each["metadata"]["name"] == name:
            return each
    return None
