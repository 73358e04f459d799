"""What has to be the case before anything is changed of one's own accord."""

from collections.abc import Iterable

from isek_operator.decide.conditions import Verdict
from isek_operator.decide.etcd.ruling import Plan, moving, wait
from isek_operator.decide.etcd.situation import Situation, quorum
from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason


def for_a_quorum(situation: Situation) -> Plan | None:
    """Without a quorum nothing can be changed, and nothing is known."""
    if situation.quorum:
        return None
    if any(pod.ready for pod in situation.pods.values()):
        why = situation.view.error if situation.view else "it was not asked yet"
        return moving(situation, Reason.ETCD_UNREACHABLE, f"the operator cannot read etcd: {why or 'no answer'}")
    if situation.membership.untouched:
        trouble = situation.pods[0].trouble if 0 in situation.pods else ""
        return moving(
            situation, Reason.ROLLING_OUT, f"the first member, {_named(situation, [0])}, starts", see=bool(trouble)
        )
    needed = quorum(len(situation.membership.members))
    troubled = [ordinal for ordinal, pod in situation.pods.items() if pod.trouble]
    told = f": {_named(situation, troubled)}" if troubled else ""
    return moving(situation, Reason.QUORUM_MISSING, f"etcd has no quorum, {needed} members are needed{told}", see=True)


def for_somebody_to_remove_strangers(situation: Situation) -> Plan | None:
    """What somebody else added is left alone, and nothing is changed beside it."""
    if not situation.strangers:
        return None
    stranger = situation.strangers[0]
    message = f"etcd has a member {stranger.id:x} at {stranger.peer_url} that Isek did not add"
    message += f"; remove it with etcdctl member remove {stranger.id:x}"
    return wait(situation, Verdict.stuck(Problem(Reason.FOREIGN_MEMBER, message)))


def for_all_members(situation: Situation) -> Plan | None:
    """Growing, rolling and upkeep are for when all members are well."""
    if situation.healthy:
        return None
    missing = situation.listed.keys() - situation.answering
    return moving(situation, Reason.REPLICAS_NOT_READY, f"waiting for {_named(situation, missing)}", see=True)


def for_all_pods(situation: Situation) -> Plan | None:
    """The kubelet sees later than etcd itself that a member is well; who is asked by clients goes by the kubelet."""
    unready = [ordinal for ordinal in situation.listed if not situation.pods[ordinal].ready]
    if not unready:
        return None
    message = f"waiting for {_named(situation, unready)} to be ready"
    return moving(situation, Reason.REPLICAS_NOT_READY, message, see=True)


def _named(situation: Situation, ordinals: Iterable[int]) -> str:
    """The pods, each with what keeps it from running."""
    return ", ".join(situation.pod_text(ordinal) for ordinal in sorted(ordinals))
