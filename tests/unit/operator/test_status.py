"""The status of a custom resource: conditions and the smallest patch."""

from datetime import UTC, datetime, timedelta
from typing import Any

from isek_operator.cluster.status import next_status, overridden, patch, waiting
from isek_operator.decide.outcome import Finding
from isek_operator.decide.reasons import Reason

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
READY = Finding("Ready", True, Reason.ALL_REPLICAS_READY, "1 of 1 replicas are ready")
ROLLING = Finding("Ready", False, Reason.ROLLING_OUT, "0 of 1 replicas are ready")
RECONCILING = Finding("Reconciling", True, Reason.ROLLING_OUT, "0 of 1 replicas are ready")


def status(
    *findings: Finding, old: dict[str, Any] | None = None, now: datetime = NOON, **fields: Any
) -> dict[str, Any]:
    return next_status(old or {}, findings, fields, generation=3, now=now)


def test_a_condition_says_for_which_generation_and_since_when() -> None:
    assert status(READY)["conditions"] == [
        {
            "type": "Ready",
            "status": "True",
            "observedGeneration": 3,
            "lastTransitionTime": "2026-01-01T12:00:00Z",
            "reason": "AllReplicasReady",
            "message": "1 of 1 replicas are ready",
        }
    ]


def test_the_time_moves_with_the_status_and_not_with_the_reason() -> None:
    later = NOON + timedelta(hours=1)
    not_ready = Finding("Ready", False, Reason.REPLICAS_NOT_READY, "crashing")

    [moved] = status(ROLLING, old=status(READY), now=later)["conditions"]
    [kept] = status(not_ready, old=status(ROLLING), now=later)["conditions"]

    assert moved["lastTransitionTime"] == "2026-01-01T13:00:00Z"
    assert (kept["lastTransitionTime"], kept["reason"]) == ("2026-01-01T12:00:00Z", "ReplicasNotReady")


def test_reconciling_and_stalled_are_there_only_while_they_are_true() -> None:
    stalled = Finding("Stalled", False, Reason.ROLLING_OUT, "")
    types = [condition["type"] for condition in status(ROLLING, RECONCILING, stalled)["conditions"]]
    assert types == ["Ready", "Reconciling"]


def test_nothing_is_written_when_nothing_changed() -> None:
    old = status(READY, replicas=1)
    assert patch(old, status(READY, old=old, now=NOON + timedelta(hours=1), replicas=1)) is None


def test_the_patch_holds_what_changed_and_removes_what_is_gone() -> None:
    old = status(READY, replicas=1, url="http://writer")
    new = status(READY, old=old, replicas=2)
    assert patch(old, new) == {"status": {"replicas": 2, "url": None}}


def test_a_child_that_cannot_be_applied_outweighs_what_was_decided() -> None:
    resolved = Finding("ResolvedRefs", True, Reason.REFERENCES_RESOLVED, "all found")
    findings = overridden((READY, RECONCILING, resolved), Reason.NAME_CONFLICT, "Service 'writer-agent' is not ours")

    told = [(finding.type, finding.status, finding.reason) for finding in findings]
    assert told == [
        ("Ready", False, Reason.NAME_CONFLICT),
        ("Stalled", True, Reason.NAME_CONFLICT),
        ("ResolvedRefs", True, Reason.REFERENCES_RESOLVED),
    ]


def test_what_only_the_use_of_a_secret_shows_is_told_of_the_reference_too() -> None:
    resolved = Finding("ResolvedRefs", True, Reason.REFERENCES_RESOLVED, "all found")
    findings = overridden((READY, resolved), Reason.SECRET_INVALID, "Secret 'ca': the key belongs to another")

    told = [(finding.type, finding.status, finding.reason) for finding in findings]
    assert told == [
        ("Ready", False, Reason.SECRET_INVALID),
        ("Stalled", True, Reason.SECRET_INVALID),
        ("ResolvedRefs", False, Reason.SECRET_INVALID),
    ]


def test_waiting_for_a_deletion_is_no_standstill() -> None:
    told = [(finding.type, finding.status) for finding in waiting((READY,), "StatefulSet is being deleted")]
    assert told == [("Ready", False), ("Reconciling", True)]
