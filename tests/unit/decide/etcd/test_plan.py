"""What is done next for an etcd, and what is said about it."""

from dataclasses import replace
from typing import Any

import pytest
from isek_operator.decide.conditions import Progress
from isek_operator.decide.etcd.membership import Admission, Member, Membership
from isek_operator.decide.etcd.plan import plan
from isek_operator.decide.etcd.ruling import Plan
from isek_operator.decide.etcd.situation import Pod, Situation
from isek_operator.decide.etcd.steps import (
    Action,
    AddLearner,
    Compact,
    Defragment,
    DeletePod,
    DisarmSpace,
    MoveLeader,
    Promote,
    RemoveMember,
    RestrictNodes,
)
from isek_operator.decide.etcd.view import EtcdView, MemberView
from isek_operator.decide.reasons import Reason

TOKEN = "uid-1"
URLS = tuple(f"https://default-etcd-{ordinal}.peers:2380" for ordinal in range(5))
MIB = 1024 * 1024


def voter(ordinal: int, **changes: Any) -> MemberView:
    """A member that is well; the first one leads."""
    fields = {"name": f"default-etcd-{ordinal}", "learner": False, "reachable": True, "version": "3.6.8", "leader": 100}
    return MemberView(**{"id": 100 + ordinal, "peer_url": URLS[ordinal], **fields, **changes})


def learner(ordinal: int, **changes: Any) -> MemberView:
    return voter(ordinal, **{"learner": True, **changes})


def silent(member: MemberView) -> MemberView:
    return MemberView(member.id, member.name, member.peer_url, member.learner, reachable=False)


def joined(*ordinals: int) -> tuple[Member, ...]:
    return tuple(Member(f"{100 + ordinal:x}" if ordinal else "", Admission.JOINED) for ordinal in ordinals)


def running(ordinal: int, **changes: Any) -> Pod:
    return Pod(**{"uid": f"uid-of-{ordinal}", "ready": True, "token": TOKEN, **changes})


def situation(*members: MemberView, wanted: int, quorum: bool = True, view: Any = (), **changes: Any) -> Situation:
    """An etcd with these members, all written down as joined, each with a running pod."""
    known = {"auth_enabled": True, "granted": frozenset({"/"}), **dict(view)}
    fields = {
        "name": "default-etcd",
        "see": "see the pods",
        "membership": Membership(TOKEN, joined(*range(len(members)))),
        "peer_urls": URLS,
        "pods": {ordinal: running(ordinal) for ordinal in range(len(members))},
        "view": EtcdView(0.0, quorum=quorum, members=members, **known),
    }
    return Situation(wanted=wanted, **{**fields, **changes})


def action(planned: Plan) -> Action | None:
    return planned.step.action if planned.step else None


def test_an_etcd_with_all_members_is_left_alone() -> None:
    planned = plan(situation(voter(0), voter(1), voter(2), wanted=3))

    assert planned.step is None
    assert planned.verdict.message == "3 of 3 etcd members answer"
    assert planned.verdict.ready


def test_nodes_are_restricted_before_anything_else() -> None:
    open_to_all = situation(voter(0), wanted=3, view={"auth_enabled": False})
    of_another_mesh = situation(voter(0), wanted=1, view={"granted": frozenset({"/isek/other/"})})

    assert action(plan(open_to_all)) == action(plan(of_another_mesh)) == RestrictNodes("/")
    assert plan(open_to_all).verdict.reason is Reason.ACCESS_PENDING


def test_growing_adds_a_learner_writes_it_down_and_promotes_it_once_it_may_not_come_back_empty() -> None:
    begins = situation(voter(0), voter(1), wanted=3)
    assert action(plan(begins)) == AddLearner(URLS[2])
    assert plan(begins).verdict.message == "adding default-etcd-2 as a learner; 2 of 3 etcd members answer"

    added = silent(learner(2, name=""))
    membership, pods = begins.membership, begins.pods
    written = plan(situation(voter(0), voter(1), added, wanted=3, membership=membership, pods=pods))
    assert written.step is None
    assert written.membership.members[2] == Member("66", Admission.NEW)

    starts = plan(situation(voter(0), voter(1), added, wanted=3, membership=written.membership, pods=pods))
    assert starts.step is None
    assert starts.verdict.message == ("member default-etcd-2 is a learner and catches up; 2 of 3 etcd members answer")

    started = plan(situation(voter(0), voter(1), learner(2), wanted=3, membership=written.membership))
    assert started.step is None
    assert started.membership.members[2] == Member("66", Admission.JOINED)

    assert action(plan(situation(voter(0), voter(1), learner(2), wanted=3))) == Promote(102)


def test_a_learner_that_is_behind_gets_no_vote() -> None:
    behind = situation(voter(0, raft_index=9000), learner(1, raft_index=10), wanted=3)

    assert action(plan(behind)) is None
    assert plan(behind).verdict.reason is Reason.MEMBER_JOINING


def test_a_learner_that_is_not_wanted_any_more_goes() -> None:
    assert action(plan(situation(voter(0), learner(1), wanted=1))) == RemoveMember(101)


def test_shrinking_removes_the_last_member_and_moves_leadership_away_first() -> None:
    follows = [voter(ordinal, leader=102) for ordinal in range(3)]

    leads = plan(situation(*follows, wanted=1))
    assert action(leads) == MoveLeader(102, 100)
    assert leads.verdict.message.startswith(
        "moving leadership from default-etcd-2, which is to leave, to default-etcd-0"
    )
    assert action(plan(situation(voter(0), voter(1), voter(2), wanted=1))) == RemoveMember(102)

    removed = plan(situation(voter(0), voter(1), wanted=1, membership=Membership(TOKEN, joined(0, 1, 2))))
    assert removed.step is None
    assert removed.membership.members == joined(0, 1)


def test_shrinking_takes_a_member_that_does_not_answer_first() -> None:
    assert action(plan(situation(voter(0), silent(voter(1)), voter(2), wanted=1))) == RemoveMember(101)


def test_shrinking_waits_for_a_member_that_is_to_stay() -> None:
    planned = plan(situation(silent(voter(0)), voter(1, leader=101), voter(2, leader=101), wanted=1))

    assert planned.step is None
    assert planned.verdict.message.startswith("waiting for default-etcd-0")


def test_a_member_that_lost_its_volume_is_removed_added_again_and_started_anew() -> None:
    pods = {0: running(0), 1: running(1), 2: running(2, ready=False, data_lost=True)}
    lost = situation(voter(0), voter(1), silent(voter(2)), wanted=3, pods=pods)
    assert action(plan(lost)) == RemoveMember(102)

    removed = plan(situation(voter(0), voter(1), wanted=3, pods=pods, membership=lost.membership))
    assert removed.step is None
    assert removed.membership.members[2] == Member("66", Admission.REMOVED)

    written = situation(voter(0), voter(1), wanted=3, pods=pods, membership=removed.membership)
    assert action(plan(written)) == AddLearner(URLS[2])

    successor = silent(learner(2, id=200, name=""))
    added = plan(situation(voter(0), voter(1), successor, wanted=3, pods=pods, membership=removed.membership))
    assert added.membership.members[2] == Member("c8", Admission.NEW)

    waiting = situation(voter(0), voter(1), successor, wanted=3, pods=pods, membership=added.membership)
    assert action(plan(waiting)) == DeletePod("default-etcd-2", "uid-of-2")


def test_the_first_member_is_replaced_like_any_other() -> None:
    successor = silent(learner(0, id=200, name=""))
    planned = plan(situation(successor, voter(1, leader=101), voter(2, leader=101), wanted=3))

    assert planned.membership.members[0] == Member("c8", Admission.NEW)


def test_a_new_template_rolls_from_the_last_pod_to_the_first_with_the_leader_last() -> None:
    members = [voter(ordinal, leader=102) for ordinal in range(3)]
    pods = {ordinal: running(ordinal, outdated=True) for ordinal in range(3)}

    assert action(plan(situation(*members, wanted=3, pods=pods))) == DeletePod("default-etcd-1", "uid-of-1")
    for done in (1, 0):
        pods[done] = running(done)
    assert action(plan(situation(*members, wanted=3, pods=pods))) == MoveLeader(102, 100)
    assert action(plan(situation(voter(0), wanted=1, pods={0: running(0, outdated=True)}))) == DeletePod(
        "default-etcd-0", "uid-of-0"
    )


@pytest.mark.parametrize("pod", [running(1, ready=False), running(1, ending=True)])
def test_nothing_rolls_while_a_pod_is_not_well(pod: Pod) -> None:
    pods = {0: running(0, outdated=True), 1: pod, 2: running(2, outdated=True)}

    assert plan(situation(voter(0), voter(1), voter(2), wanted=3, pods=pods)).step is None


def test_a_pod_of_a_former_template_that_does_not_run_is_replaced_even_without_a_quorum() -> None:
    broken = running(0, ready=False, outdated=True, trouble="ImagePullBackOff")
    planned = plan(situation(wanted=1, quorum=False, membership=Membership(TOKEN, joined(0)), pods={0: broken}))

    assert action(planned) == DeletePod("default-etcd-0", "uid-of-0")


def test_a_pod_that_restarts_while_the_latest_template_fails_is_not_made_by_it_too() -> None:
    restarting = running(1, ready=False, outdated=True)
    pods = {
        0: running(0, ready=False, outdated=True),
        1: restarting,
        2: running(2, ready=False, trouble="ErrImagePull"),
    }
    membership = Membership(TOKEN, joined(0, 1, 2))

    assert plan(situation(wanted=3, quorum=False, membership=membership, pods=pods)).step is None


def lost(**changes: Any) -> Situation:
    pods = {0: running(0, ready=False), 1: running(1, ready=False, trouble="Pending")}
    fields = {"membership": Membership(TOKEN, joined(0, 1, 2)), "pods": pods, "unavailable_seconds": 300.0}
    return situation(wanted=3, quorum=False, **{**fields, **changes})


def test_a_quorum_lost_for_five_minutes_is_replaced_by_an_empty_etcd() -> None:
    planned = plan(lost())
    assert planned.membership == Membership.first("uid-2")
    assert planned.verdict.reason is Reason.RECREATING

    former = plan(lost(membership=Membership.first("uid-2"), unavailable_seconds=310.0))
    assert action(former) == DeletePod("default-etcd-0", "uid-of-0")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"unavailable_seconds": 299.0}, id="not for long enough"),
        pytest.param({"pods": {0: running(0)}}, id="a member that reads through the quorum"),
        pytest.param({"view": None}, id="nobody asked yet"),
        pytest.param({"membership": Membership.first(TOKEN)}, id="an etcd that never ran"),
    ],
)
def test_an_etcd_is_not_given_up_for_less(changes: dict[str, Any]) -> None:
    given = replace(lost(), **changes)
    planned = plan(given)

    assert planned.step is None
    assert planned.membership == given.membership
    assert planned.verdict.progress is Progress.MOVING


def test_a_missing_quorum_says_how_many_are_needed_and_what_is_wrong() -> None:
    assert plan(lost(unavailable_seconds=10.0)).verdict.message == (
        "etcd has no quorum, 2 members are needed: default-etcd-1 (Pending); 0 of 3 etcd members answer; see the pods"
    )


def test_a_member_that_is_waited_for_is_named_once_with_what_is_wrong_and_where_to_look() -> None:
    pods = {0: running(0), 1: running(1), 2: running(2, ready=False, trouble="ErrImagePull")}
    silent_third = silent(voter(2))

    assert plan(situation(voter(0), voter(1), silent_third, wanted=3, pods=pods)).verdict.message == (
        "waiting for default-etcd-2 (ErrImagePull); 2 of 3 etcd members answer; see the pods"
    )
    assert plan(situation(voter(0), voter(1), voter(2), wanted=3, pods=pods)).verdict.message == (
        "waiting for default-etcd-2 (ErrImagePull) to be ready; 3 of 3 etcd members answer; see the pods"
    )


def test_a_member_that_somebody_else_added_is_named_and_nothing_is_touched() -> None:
    stranger = MemberView(7, "x", "http://10.0.0.1:2380", learner=False, reachable=False)
    found = situation(voter(0), wanted=3)
    assert found.view is not None
    planned = plan(replace(found, view=replace(found.view, members=(voter(0), stranger))))

    assert planned.step is None
    assert planned.verdict.reason is Reason.FOREIGN_MEMBER
    assert planned.verdict.progress is Progress.STUCK


def test_much_that_is_free_is_given_back_with_the_leader_last_and_the_mesh_stays_ready() -> None:
    roomy = {"db_bytes": 100 * MIB, "db_bytes_in_use": 10 * MIB}
    all_roomy = plan(situation(voter(0, **roomy), voter(1, **roomy), voter(2, **roomy), wanted=3))
    leader_roomy = plan(situation(voter(0, **roomy), voter(1), voter(2), wanted=3))
    small = plan(situation(voter(0, db_bytes=MIB), wanted=1))

    assert action(all_roomy) == Defragment(101)
    assert action(leader_roomy) == Defragment(100)
    assert small.step is None
    assert all_roomy.verdict.ready


def test_a_space_alarm_is_answered_by_compaction_defragmentation_and_disarming() -> None:
    def full(in_use: int, size: int = 256) -> Action | None:
        member = voter(0, db_bytes=size * MIB, db_bytes_in_use=in_use * MIB)
        return action(plan(situation(member, wanted=1, view={"no_space": frozenset({100})})))

    assert full(in_use=250) == Compact()
    assert full(in_use=100) == Defragment(100)
    assert full(in_use=100, size=100) == DisarmSpace((100,))
