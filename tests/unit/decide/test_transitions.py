from typing import Any

from isek_operator.decide.transitions import News, transitions


def condition(type_: str, status: str, reason: str, message: str = "so it is") -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "message": message}


ROLLING = [condition("Ready", "False", "RollingOut"), condition("Reconciling", "True", "RollingOut")]
READY = [condition("Ready", "True", "AllReplicasReady")]
FULL = [condition("Ready", "False", "NodeFull"), condition("Stalled", "True", "NodeFull")]


def told(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(news.type, news.reason) for news in transitions(before, after)]


def test_a_start_is_told_by_its_end() -> None:
    assert told([], ROLLING) == []
    assert told(ROLLING, READY) == [("Normal", "AllReplicasReady")]


def test_what_stays_is_not_told_again() -> None:
    for conditions in (ROLLING, READY, FULL):
        assert told(conditions, conditions) == []


def test_another_count_of_pods_is_no_news() -> None:
    assert told(READY, [condition("Ready", "True", "AllReplicasReady", "3 of 3 pods answer")]) == []


def test_a_roll_out_is_no_cause_for_alarm_and_lost_pods_are() -> None:
    assert told(READY, ROLLING) == [("Normal", "RollingOut")]
    assert told(READY, [condition("Ready", "False", "MemberJoining")]) == [("Normal", "MemberJoining")]
    assert told(READY, [condition("Ready", "False", "ReplicasNotReady")]) == [("Warning", "ReplicasNotReady")]


def test_what_two_conditions_tell_is_told_once() -> None:
    assert told(READY, FULL) == [("Warning", "NodeFull")]


def test_another_cause_of_being_stalled_is_told() -> None:
    gone = [condition("Ready", "False", "NodeNotFound"), condition("Stalled", "True", "NodeNotFound")]

    assert told(FULL, gone) == [("Warning", "NodeNotFound")]


def test_each_step_of_an_etcd_is_told_and_its_first_start_by_its_end() -> None:
    missing = [*ROLLING, condition("EtcdAvailable", "False", "QuorumMissing")]
    available = [*READY, condition("EtcdAvailable", "True", "QuorumAvailable")]
    anew = [*ROLLING, condition("EtcdAvailable", "False", "Recreating")]

    assert told([], missing) == []
    assert told(missing, available) == [("Normal", "QuorumAvailable"), ("Normal", "AllReplicasReady")]
    assert told(available, anew) == [("Warning", "Recreating"), ("Normal", "RollingOut")]
    assert told(anew, missing) == [("Warning", "QuorumMissing")]


def test_the_note_is_the_message_of_the_condition() -> None:
    after = [condition("Ready", "True", "AllReplicasReady", "1 of 1 pods answer")]

    assert transitions(ROLLING, after) == (News("Normal", "AllReplicasReady", "1 of 1 pods answer"),)
