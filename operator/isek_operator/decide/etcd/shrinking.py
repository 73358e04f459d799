"""One member less: the last one, and leadership moves away from it first."""

from isek_operator.decide.etcd.ruling import Plan, step
from isek_operator.decide.etcd.situation import Situation
from isek_operator.decide.etcd.steps import MoveLeader, RemoveMember
from isek_operator.decide.reasons import Reason


def leave(situation: Situation) -> Plan | None:
    """Remove one of the members that are too many.

    One that does not answer first, where a quorum is left without it; else the last, when all are well.
    """
    too_many = sorted((each for each in situation.voters if each >= situation.wanted), reverse=True)
    silent = [each for each in too_many if each not in situation.answering and situation.safe_without(each)]
    if silent:
        return _remove(situation, silent[0])
    staying = range(situation.wanted)
    if not too_many or not situation.healthy or any(each not in situation.voters for each in staying):
        return None
    leaving = too_many[0]
    member = situation.voters[leaving]
    if member.id == situation.leader_id:
        to, pod = situation.voters[0], situation.pod_name(0)
        note = f"moving leadership from {situation.pod_name(leaving)}, which is to leave, to {pod}"
        return step(situation, MoveLeader(member.id, to.id), Reason.MEMBER_LEAVING, note)
    return _remove(situation, leaving)


def _remove(situation: Situation, ordinal: int) -> Plan:
    note = f"removing member {situation.pod_name(ordinal)}"
    return step(situation, RemoveMember(situation.voters[ordinal].id), Reason.MEMBER_LEAVING, note)
