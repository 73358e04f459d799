"""How kstatus judges a custom resource, by its published rules.

https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md: first what holds for every object
(deletion, the observed generation, the conditions Reconciling and Stalled), then the condition Ready, and an object
that says nothing at all is taken to be current.
"""

from typing import Any, Literal

Status = Literal["NotFound", "Terminating", "InProgress", "Failed", "Current"]


def kstatus(found: dict[str, Any] | None) -> Status:
    """The status of an object as the API server holds it; None: there is none."""
    if found is None:
        return "NotFound"
    metadata, status = found["metadata"], found.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    if status.get("observedGeneration", metadata["generation"]) != metadata["generation"]:
        return "InProgress"
    conditions = {each["type"]: each["status"] for each in status.get("conditions") or ()}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    return "Current" if conditions.get("Ready", "True") == "True" else "InProgress"
