"""What has to be the case before anything is changed of one's own accord."""

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
        return moving(situation, Reason.ROLLING_OUT, f"the first member starts{_trouble(situation)}")
    needed = quorum(len(situation.membership.members))
    message = f"etcd has no quorum, {needed} members are needed{_trouble(situation)}"
    return moving(situation, Reason.QUORUM_MISSING, message)


def for_somebody_to_remove_strangers(situation: Situation) -> Plan | None:
    """What somebody else added is left alone, and nothing is changed beside it."""
    if not situation.strangers:
        return None
    stranger = situation.strangers[0]
    message = f"etcd has a member {stranger.id:x} at {stranger.peer_url} that Isek did not add; remove it with etcdctl"
    return wait(situation, Verdict.stuck(Problem(Reason.FOREIGN_MEMBER, message)))


def for_all_members(situation: Situation) -> Plan | None:
    """Growing, rolling and upkeep are for when all members are well."""
    if situation.healthy:
        return None
    return moving(situation, Reason.REPLICAS_NOT_READY, f"waiting for {_missing(situation)}{_trouble(situation)}")


def for_all_pods(situation: Situation) -> Plan | None:
    """The kubelet sees later than etcd itself that a member is well; who is asked by clients goes by the kubelet."""
    unready = [ordinal for ordinal in sorted(situation.listed) if not situation.pods[ordinal].ready]
    if not unready:
        return None
    names = ", ".join(map(situation.pod_name, unready))
    return moving(situation, Reason.REPLICAS_NOT_READY, f"waiting for {names} to be ready{_trouble(situation)}")


def _missing(situation: Situation) -> str:
    return ", ".join(situation.pod_name(each) for each in sorted(situation.listed.keys() - situation.answering))


def _trouble(situation: Situation) -> str:
    said = (
        f"{situation.pod_name(ordinal)}: {pod.trouble}"
        for ordinal, pod in sorted(situation.pods.items())
        if pod.trouble
    )
    told = "; ".join(said)
    return f" ({told})" if told else ""
