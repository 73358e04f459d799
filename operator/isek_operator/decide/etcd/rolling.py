"""A new template: pods are replaced one by one, the leader's last."""

from isek_operator.decide.etcd.ruling import Plan, delete_pod, step
from isek_operator.decide.etcd.situation import Situation
from isek_operator.decide.etcd.steps import MoveLeader
from isek_operator.decide.reasons import Reason

BY_THE_LATEST = "is replaced by one of the latest specification"


def replace_what_does_not_run(situation: Situation) -> Plan | None:
    """A pod of a former template that cannot run may go at any time: nobody counts on it.

    Not one that only does not answer for a moment: where the latest template is at fault, it would be lost as well.
    """
    reachable = {ordinal for ordinal, each in situation.listed.items() if each.reachable}
    for ordinal, pod in sorted(situation.pods.items(), reverse=True):
        if pod.outdated and pod.trouble and not pod.ready and not pod.ending and ordinal not in reachable:
            note = f"pod {situation.pod_name(ordinal)}, which does not run, {BY_THE_LATEST}"
            return delete_pod(situation, ordinal, Reason.ROLLING_OUT, note)
    return None


def roll(situation: Situation) -> Plan | None:
    """Replace the next pod. All members are well when this is asked."""
    outdated = sorted(situation.outdated, reverse=True)
    if not outdated:
        return None
    followers = [each for each in outdated if situation.listed[each].id != situation.leader_id]
    if followers:
        name = situation.pod_name(followers[0])
        note = f"pod {name} {BY_THE_LATEST}"
        return delete_pod(situation, followers[0], Reason.ROLLING_OUT, note)
    (leader,) = outdated
    others = sorted(each for each in situation.voters if each != leader)
    if not others:
        note = f"pod {situation.pod_name(leader)}, the only member, {BY_THE_LATEST}"
        return delete_pod(situation, leader, Reason.ROLLING_OUT, note)
    to = others[0]
    note = f"moving leadership from {situation.pod_name(leader)}, which is replaced next, to {situation.pod_name(to)}"
    action = MoveLeader(situation.listed[leader].id, situation.voters[to].id)
    return step(situation, action, Reason.ROLLING_OUT, note)
