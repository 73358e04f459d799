"""A quorum that is lost for good: an empty etcd takes its place, and nodes register again."""

from isek_operator.decide.etcd.ruling import Plan, acknowledge, delete_pod, moving
from isek_operator.decide.etcd.situation import Situation
from isek_operator.decide.reasons import Reason


def begin_anew(situation: Situation) -> Plan | None:
    """Give a cluster up that nobody has been able to read for long.

    Not one that has never run: it has nothing to lose, and to begin anew would change nothing.
    """
    if situation.membership.untouched or situation.view is None or not _unreadable(situation):
        return None
    if situation.unavailable_seconds < situation.lost_seconds:
        return None
    message = f"the quorum of etcd was lost for {situation.unavailable_seconds:.0f} s; an empty one takes its place"
    return acknowledge(situation, situation.membership.successor(), Reason.RECREATING, message)


def leave_the_former(situation: Situation) -> Plan | None:
    """End the pod of a former cluster that runs where the new one is to begin.

    The other pods of the former one go by scaling down.
    """
    pod = situation.pods.get(0)
    if pod is None or pod.token == situation.membership.token:
        return None
    if pod.ending:
        return moving(situation, Reason.RECREATING, f"waiting for pod {situation.pod_name(0)} to end")
    return delete_pod(situation, 0, Reason.RECREATING, f"ending pod {situation.pod_name(0)} of the former etcd")


def _unreadable(situation: Situation) -> bool:
    """Whether neither the operator nor any member reads through the quorum."""
    return not situation.quorum and not any(pod.ready for pod in situation.pods.values())
