"""Whether nodes can register with the etcd of a mesh, and how it stands."""

from isek_operator.decide.conditions import Verdict
from isek_operator.decide.etcd.situation import Situation, quorum
from isek_operator.decide.etcd.view import EtcdView
from isek_operator.decide.outcome import Finding
from isek_operator.decide.reasons import Reason


def managed_available(situation: Situation, ready: int) -> Finding:
    """EtcdAvailable of an etcd of our own.

    The kubelets' word counts too, since a member is ready when it reads through the quorum: nodes may well reach what
    the operator cannot.

    Args:
        ready: members that are ready, as the kubelets see it.
    """
    members = len(situation.membership.members)
    needed = quorum(members)
    available = situation.quorum or ready >= needed
    answering = max(len(situation.answering), ready)
    message = f"{min(answering, members)} of {members} etcd members answer, {needed} are needed for a quorum"
    if available:
        return Finding("EtcdAvailable", True, Reason.QUORUM_AVAILABLE, message)
    return Finding("EtcdAvailable", False, Reason.QUORUM_MISSING, f"{message}; {situation.see}")


def external_available(view: EtcdView | None) -> Finding:
    """EtcdAvailable of an etcd that somebody else runs: whether it answers a linearizable read."""
    if view is not None and view.quorum:
        return Finding("EtcdAvailable", True, Reason.QUORUM_AVAILABLE, _external_answers(view))
    return Finding("EtcdAvailable", False, Reason.ETCD_UNREACHABLE, _external_error(view))


def external_verdict(view: EtcdView | None) -> Verdict:
    """Ready of a mesh with an etcd that somebody else runs."""
    if view is not None and view.quorum:
        return Verdict.done(Reason.ALL_REPLICAS_READY, _external_answers(view))
    return Verdict.moving(Reason.ETCD_UNREACHABLE, _external_error(view))


def _external_answers(view: EtcdView) -> str:
    members = f"; it has {len(view.members)} members" if view.members else ""
    return f"the external etcd answers{members}"


def _external_error(view: EtcdView | None) -> str:
    return f"the external etcd does not answer: {view.error}" if view else "the external etcd was not asked yet"
