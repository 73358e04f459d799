"""The next thing to do for an etcd: what to write down about it, and at most one step.

It follows from what is observed alone, never from what was done last: an operator that was killed between any two
steps goes on where it was. The rules are asked in their order, and the first that has something to say decides, so
that there is never more than one change at a time.
"""

from isek_operator.decide.conditions import Verdict
from isek_operator.decide.etcd import access, growth, loss, records, repair, rolling, shrinking, space, waiting
from isek_operator.decide.etcd.ruling import Plan, Rule
from isek_operator.decide.etcd.situation import Situation
from isek_operator.decide.reasons import Reason

RULES: tuple[Rule, ...] = (
    loss.begin_anew,
    loss.leave_the_former,
    rolling.replace_what_does_not_run,
    waiting.for_a_quorum,
    waiting.for_somebody_to_remove_strangers,
    records.write_down,
    access.restrict_nodes,
    space.make_room,
    growth.follow_the_learner,
    shrinking.leave,
    repair.take_out_who_lost_its_data,
    repair.bring_back,
    waiting.for_all_members,
    growth.add_one,
    waiting.for_all_pods,
    rolling.roll,
    space.give_back,
)


def plan(situation: Situation) -> Plan:
    """What is to be done now, and what to say about it."""
    for rule in RULES:
        if (found := rule(situation)) is not None:
            return found
    return Plan(situation.membership, None, settled(situation))


def settled(situation: Situation) -> Verdict:
    """All is as it should be."""
    return Verdict.done(Reason.ALL_REPLICAS_READY, situation.answer_text())
