"""Agents and teams of a namespace share one space of addresses."""

from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.references import HOSTED_KINDS, Hosted, hosted
from isek_operator.decide.world import World


def age(resource: Hosted) -> tuple[str, str, str]:
    """Sorts the oldest first; what is equally old, by kind and name."""
    return (resource.metadata.creation_timestamp, resource.kind, resource.name)


def name_rival(resource: Hosted, world: World) -> Hosted | None:
    """The older holder of the address that ``resource`` wants."""
    for kind in HOSTED_KINDS:
        other = hosted(kind, resource.namespace, resource.name, world) if kind != resource.kind else None
        if other is not None and age(other) < age(resource):
            return other
    return None


def name_conflict(resource: Hosted, rival: Hosted) -> Problem:
    """What to say to the younger one."""
    return Problem(
        Reason.NAME_CONFLICT,
        f"{rival.kind} {rival.name!r} has the address {rival.name}.{rival.namespace} already: agents and teams share "
        f"their names; create this {resource.kind} under another name, or delete the other",
    )
