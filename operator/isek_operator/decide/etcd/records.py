"""What the cluster's own list of members says is written down, so that pods start with what they need."""

from dataclasses import replace

from isek_operator.decide.etcd.membership import Admission, Member, Membership
from isek_operator.decide.etcd.ruling import Plan, acknowledge
from isek_operator.decide.etcd.situation import Situation
from isek_operator.decide.etcd.view import MemberView
from isek_operator.decide.reasons import Reason


def write_down(situation: Situation) -> Plan | None:
    """Write down the first difference: a member that was added, one that has started, one that was removed."""
    membership = situation.membership
    for ordinal, listed in sorted(situation.listed.items()):
        pod = situation.pod_name(ordinal)
        if ordinal == len(membership.members) < situation.wanted or (
            ordinal < len(membership.members) and not _same(membership.members[ordinal], listed)
        ):
            message = f"{pod} was added as a learner and is to start"
            return acknowledge(
                situation, membership.having(ordinal, Member.added(listed.id)), Reason.MEMBER_JOINING, message
            )
        if ordinal < len(membership.members) and _has_started(membership.members[ordinal], listed):
            joined = Member(membership.members[ordinal].id, Admission.JOINED)
            message = f"{pod} has started"
            return acknowledge(situation, membership.having(ordinal, joined), Reason.MEMBER_JOINING, message)
    if (left := _without_the_removed(situation)) != membership:
        pods = ", ".join(map(situation.pod_name, range(len(left.members), len(membership.members))))
        return acknowledge(situation, left, Reason.MEMBER_LEAVING, f"{pods} left the cluster and ends")
    for ordinal in membership.listed:
        if ordinal not in situation.listed:
            removed = replace(membership.members[ordinal], admission=Admission.REMOVED)
            message = f"{situation.pod_name(ordinal)} was removed"
            return acknowledge(situation, membership.having(ordinal, removed), Reason.MEMBER_REPLACED, message)
    return None


def _same(recorded: Member, listed: MemberView) -> bool:
    """Whether it is the member that was written down. The first one, whose id is not, never was a learner."""
    return int(recorded.id, 16) == listed.id if recorded.id else not listed.learner


def _has_started(recorded: Member, listed: MemberView) -> bool:
    return recorded.admission is Admission.NEW and listed.reachable and listed.name != ""


def _without_the_removed(situation: Situation) -> Membership:
    membership = situation.membership
    while len(membership.members) > situation.wanted and len(membership.members) - 1 not in situation.listed:
        membership = membership.without_last()
    return membership
