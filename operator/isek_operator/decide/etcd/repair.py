"""A member that lost its volume: taken out, and added again as a learner with another id."""

from isek_operator.decide.etcd.membership import Admission
from isek_operator.decide.etcd.ruling import Plan, moving, step
from isek_operator.decide.etcd.situation import Situation
from isek_operator.decide.etcd.steps import AddLearner, RemoveMember
from isek_operator.decide.reasons import Reason


def take_out_who_lost_its_data(situation: Situation) -> Plan | None:
    """Remove a voter that cannot come back, where the others are a quorum without it."""
    for ordinal, voter in sorted(situation.voters.items()):
        pod, recorded = situation.pods.get(ordinal), situation.membership.members[ordinal]
        if pod is None or not pod.data_lost or voter.reachable or recorded.admission is not Admission.JOINED:
            continue
        name = situation.pod_name(ordinal)
        if not situation.safe_without(ordinal):
            message = f"{name} has lost its data and is replaced once the other members answer"
            return moving(situation, Reason.MEMBER_REPLACED, message)
        note = f"removing member {name}, which has lost its data"
        return step(situation, RemoveMember(voter.id), Reason.MEMBER_REPLACED, note)
    return None


def bring_back(situation: Situation) -> Plan | None:
    """Add a member again that is written down and that the cluster does not list."""
    for ordinal in range(min(situation.wanted, len(situation.membership.members))):
        if ordinal not in situation.listed:
            note = f"adding {situation.pod_name(ordinal)} again, as a learner with an empty volume"
            return step(situation, AddLearner(situation.peer_urls[ordinal]), Reason.MEMBER_REPLACED, note)
    return None
