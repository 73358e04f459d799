"""Secrets, and keys in them, that are referred to and are not there."""

from isek.api import Resource

from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.references import secret_keys
from isek_operator.decide.world import World


def missing_secrets(resource: Resource, world: World) -> tuple[Problem, ...]:
    """One problem for each Secret, or key in one, that ``resource`` refers to and that does not exist."""
    problems = []
    for reference in secret_keys(resource):
        keys = world.secret(resource.namespace, reference.name)
        if keys is None:
            what = f"Secret {reference.name!r} does not exist in namespace {resource.namespace!r}; create it"
        elif reference.key not in keys:
            what = f"Secret {reference.name!r} has no key {reference.key!r}; add it"
        else:
            continue
        problems.append(Problem(Reason.SECRET_NOT_FOUND, f"{what}, or fix {reference.field}"))
    return tuple(dict.fromkeys(problems))  # a Secret that is not there misses all its keys at once
