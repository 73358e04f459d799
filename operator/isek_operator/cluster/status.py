"""The status of a custom resource: what it is to be, and the smallest patch that gets it there."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from isek_operator.decide.outcome import Finding, Manifest
from isek_operator.decide.reasons import Reason

WHILE_TRUE = frozenset({"Reconciling", "Stalled"})
"""Conditions that are there only while they are true (kstatus)."""
HELD_UP: tuple[Literal["Ready", "Reconciling"], ...] = ("Ready", "Reconciling")
LONGEST_MESSAGE = 2048


def next_status(
    old: Manifest, findings: Iterable[Finding], fields: Manifest, *, generation: int, now: datetime
) -> Manifest:
    """The whole status after these findings. A condition keeps its time while its status stays (metav1.Condition)."""
    before = {condition["type"]: condition for condition in old.get("conditions") or ()}
    shown = [finding for finding in findings if finding.status or finding.type not in WHILE_TRUE]
    return {
        **fields,
        "observedGeneration": generation,
        "conditions": [_condition(finding, before.get(finding.type), generation, now) for finding in shown],
    }


def patch(old: Manifest, new: Manifest) -> Manifest | None:
    """The merge patch (RFC 7386) from one status to the other; None: they are equal."""
    changed: dict[str, Any] = {name: value for name, value in new.items() if old.get(name) != value}
    changed |= {name: None for name in old if name not in new}
    return {"status": changed} if changed else None


def overridden(findings: Sequence[Finding], reason: Reason, message: str) -> tuple[Finding, ...]:
    """The findings, with Ready=False and Stalled=True for a reason that only applying them has shown.

    Where it is about something that is referred to, with ResolvedRefs=False as well.
    """
    shown = [Finding("Ready", False, reason, message), Finding("Stalled", True, reason, message)]
    if "ResolvedRefs" in reason.conditions:
        shown.append(Finding("ResolvedRefs", False, reason, message))
    replaced = {"Ready", *WHILE_TRUE, *(each.type for each in shown)}
    return (*shown, *(finding for finding in findings if finding.type not in replaced))


def waiting(findings: Sequence[Finding], message: str) -> tuple[Finding, ...]:
    """The findings, with Ready=False and Reconciling=True: something has to be gone before it can go on."""
    others = [finding for finding in findings if finding.type not in {"Ready", *WHILE_TRUE}]
    held_up = [Finding(type_, type_ != "Ready", Reason.ROLLING_OUT, message) for type_ in HELD_UP]
    return (*held_up, *others)


def _condition(finding: Finding, before: Manifest | None, generation: int, now: datetime) -> Manifest:
    status = "True" if finding.status else "False"
    same = before is not None and before["status"] == status
    return {
        "type": finding.type,
        "status": status,
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if before and same else timestamp(now),
        "reason": finding.reason.value,
        "message": finding.message[:LONGEST_MESSAGE],
    }


def timestamp(moment: datetime) -> str:
    """``metav1.Time``: RFC 3339 in UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
