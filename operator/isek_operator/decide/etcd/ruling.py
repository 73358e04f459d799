"""What a rule about an etcd decides."""

from collections.abc import Callable
from dataclasses import dataclass

from isek_operator.decide.conditions import Verdict
from isek_operator.decide.etcd.membership import Membership
from isek_operator.decide.etcd.situation import Situation
from isek_operator.decide.etcd.steps import Action, DeletePod, EtcdStep
from isek_operator.decide.reasons import Reason


@dataclass(frozen=True)
class Plan:
    """What is to be written down, the one step that may be done now, and what to say."""

    membership: Membership
    step: EtcdStep | None
    verdict: Verdict

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be done."""
        return self.verdict.ready and self.step is None


Rule = Callable[[Situation], Plan | None]
"""None: it has nothing to say about this situation."""


def wait(situation: Situation, verdict: Verdict) -> Plan:
    """Do nothing, and say why."""
    return Plan(situation.membership, None, verdict)


def moving(situation: Situation, reason: Reason, message: str, *, see: bool = False) -> Plan:
    """Do nothing yet; it needs nobody. ``see``: say where to look if it lasts."""
    where = f"; {situation.see}" if see else ""
    return wait(situation, Verdict.moving(reason, f"{message}; {situation.answer_text()}{where}"))


def step(situation: Situation, action: Action, reason: Reason, note: str) -> Plan:
    """Do one thing, and say which."""
    verdict = Verdict.moving(reason, f"{note}; {situation.answer_text()}")
    return Plan(situation.membership, EtcdStep(action, reason, note), verdict)


def acknowledge(situation: Situation, membership: Membership, reason: Reason, message: str) -> Plan:
    """Have it acknowledged by the API server before anything follows from it."""
    return Plan(membership, None, Verdict.moving(reason, f"{message}; {situation.answer_text()}"))


def delete_pod(situation: Situation, ordinal: int, reason: Reason, note: str) -> Plan:
    """Have the pod of a member made anew."""
    action = DeletePod(situation.pod_name(ordinal), situation.pods[ordinal].uid)
    return step(situation, action, reason, note)
