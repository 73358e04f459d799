"""One member more: added as a learner, which gets all data first, then given its vote."""

from isek_operator.decide.etcd.membership import Admission
from isek_operator.decide.etcd.ruling import Plan, delete_pod, moving, step
from isek_operator.decide.etcd.situation import Situation
from isek_operator.decide.etcd.steps import AddLearner, Promote, RemoveMember
from isek_operator.decide.reasons import Reason


def follow_the_learner(situation: Situation) -> Plan | None:
    """While there is a learner, only its own next step is done.

    It is promoted once it is written down that it may not start without its data any more.
    """
    learners = [ordinal for ordinal, each in situation.listed.items() if each.learner]
    if not learners:
        return None
    ordinal = max(learners)
    pod, learner = situation.pod_name(ordinal), situation.listed[ordinal]
    if ordinal >= situation.wanted:
        note = f"removing the learner {pod}, which is not wanted any more"
        return step(situation, RemoveMember(learner.id), Reason.MEMBER_LEAVING, note)
    joined = situation.membership.members[ordinal].admission is Admission.JOINED
    live = situation.pods.get(ordinal)
    if live is not None and live.data_lost and not live.ending and not learner.reachable:
        if joined:
            note = f"removing the learner {pod}, which has lost its data"
            return step(situation, RemoveMember(learner.id), Reason.MEMBER_REPLACED, note)
        return delete_pod(situation, ordinal, Reason.MEMBER_REPLACED, f"starting {pod} with an empty volume")
    if joined and ordinal in situation.answering:
        return step(situation, Promote(learner.id), Reason.MEMBER_JOINING, f"{pod} has caught up and gets its vote")
    message = f"member {situation.pod_text(ordinal)} is a learner and catches up"
    return moving(situation, Reason.MEMBER_JOINING, message, see=bool(live and live.trouble))


def add_one(situation: Situation) -> Plan | None:
    """Add the member of the next pod, which then is made."""
    ordinal = len(situation.membership.members)
    if ordinal >= situation.wanted:
        return None
    pod = situation.pod_name(ordinal)
    if ordinal in situation.pods:
        return moving(situation, Reason.MEMBER_JOINING, f"waiting for a former pod {pod} to go")
    note = f"adding {pod} as a learner"
    return step(situation, AddLearner(situation.peer_urls[ordinal]), Reason.MEMBER_JOINING, note)
