"""Conditions: those that other resources have, and the findings that become our own.

Ready and ResolvedRefs always stand there. Reconciling and Stalled only while true, as kstatus wants it
(https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md): Reconciling while something is on its
way that needs nobody, Stalled when nothing happens until somebody mends the cause.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import cast

from isek.api import Resource
from isek.api.resource import Condition, Status

from isek_operator.decide.outcome import Finding
from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason


class Progress(Enum):
    """How a resource stands on its way to what its specification asks for."""

    DONE = "Done"
    MOVING = "Moving"
    STUCK = "Stuck"


@dataclass(frozen=True)
class Verdict:
    """Whether a resource is ready, and why."""

    ready: bool
    reason: Reason
    message: str
    progress: Progress

    @classmethod
    def done(cls, reason: Reason, message: str) -> "Verdict":
        """All is as it should be."""
        return cls(True, reason, message, Progress.DONE)

    @classmethod
    def moving(cls, reason: Reason, message: str) -> "Verdict":
        """Not yet; it needs nobody."""
        return cls(False, reason, message, Progress.MOVING)

    @classmethod
    def stuck(cls, problem: Problem) -> "Verdict":
        """Somebody has to mend something."""
        return cls(False, problem.reason, problem.message, Progress.STUCK)


def verdict_findings(verdict: Verdict) -> tuple[Finding, ...]:
    """Ready, and Reconciling or Stalled while it is true."""
    ready = Finding("Ready", verdict.ready, verdict.reason, verdict.message)
    if verdict.progress is Progress.MOVING:
        return (ready, Finding("Reconciling", True, verdict.reason, verdict.message))
    if verdict.progress is Progress.STUCK:
        return (ready, Finding("Stalled", True, verdict.reason, verdict.message))
    return (ready,)


def resolved_references(problems: Sequence[Problem]) -> Finding:
    """ResolvedRefs: the first problem's reason, and what to say about all of them."""
    if not problems:
        return Finding("ResolvedRefs", True, Reason.REFERENCES_RESOLVED, "all that is referred to exists")
    message = "; ".join(problem.message for problem in problems)
    return Finding("ResolvedRefs", False, problems[0].reason, message)


def condition(resource: Resource, kind: str) -> Condition | None:
    """A condition of ``resource``; None: nobody has judged it yet, or not for its present specification."""
    status = cast(Status, getattr(resource, "status"))  # noqa: B009  (each kind has its own)
    for each in status.conditions:
        if each.type == kind and each.observed_generation == resource.metadata.generation:
            return each
    return None


def holds(resource: Resource, kind: str) -> bool:
    """Whether the condition is True, for the present specification."""
    found = condition(resource, kind)
    return found is not None and found.status == "True"
