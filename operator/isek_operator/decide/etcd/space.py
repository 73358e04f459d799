"""Room in the database files: given back one member at a time, the leader last."""

from collections.abc import Iterable
from dataclasses import replace

from isek_operator.decide.conditions import Verdict
from isek_operator.decide.etcd.ruling import Plan, step
from isek_operator.decide.etcd.situation import Situation
from isek_operator.decide.etcd.steps import Compact, Defragment, DisarmSpace
from isek_operator.decide.reasons import Reason

WORTH_BYTES = 32 * 1024 * 1024
"""A file that is smaller is left alone."""
ROOMY_SHARE = 0.8
"""An alarm is taken back when no file takes up more than this share of the quota."""


def make_room(situation: Situation) -> Plan | None:
    """After a space alarm: give back what can be, then take the alarm back; where nothing can be, forget history."""
    view, enough = situation.view, ROOMY_SHARE * situation.quota_bytes
    if view is None or not view.no_space:
        return None
    full = {ordinal: each for ordinal, each in situation.listed.items() if each.db_bytes > enough}
    if not full:
        note = "there is room again: etcd takes writes"
        return step(situation, DisarmSpace(tuple(sorted(view.no_space))), Reason.SPACE_EXHAUSTED, note)
    if (
        next_one := _leader_last(situation, (each for each in full if full[each].db_bytes_in_use <= enough))
    ) is not None:
        return _defragment(situation, next_one, Reason.SPACE_EXHAUSTED)
    note = f"etcd has reached its {situation.quota_bytes >> 20} MiB and refuses writes; forgetting the history of keys"
    return step(situation, Compact(), Reason.SPACE_EXHAUSTED, note)


def give_back(situation: Situation) -> Plan | None:
    """In quiet times, give back what is more than half of a file. The mesh stays ready."""
    roomy = (
        ordinal
        for ordinal, each in situation.listed.items()
        if each.db_bytes >= WORTH_BYTES and each.db_bytes_in_use * 2 <= each.db_bytes
    )
    if (next_one := _leader_last(situation, roomy)) is None:
        return None
    done = Verdict.done(Reason.ALL_REPLICAS_READY, situation.answer_text())
    return replace(_defragment(situation, next_one, Reason.DEFRAGMENTING), verdict=done)


def _leader_last(situation: Situation, ordinals: Iterable[int]) -> int | None:
    return min(ordinals, key=lambda each: (situation.listed[each].id == situation.leader_id, each), default=None)


def _defragment(situation: Situation, ordinal: int, reason: Reason) -> Plan:
    member = situation.listed[ordinal]
    freed = (member.db_bytes - member.db_bytes_in_use) >> 20
    note = f"defragmenting {situation.pod_name(ordinal)}: {freed} of its {member.db_bytes >> 20} MiB are free"
    return step(situation, Defragment(member.id), reason, note)
