"""Secrets and ConfigMaps, keys in them, and volume claims that are referred to and are not there."""

from isek.api import IsekAgent, Resource

from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.references import needed_secret_keys, referenced_claims
from isek_operator.decide.world import World


def missing_secrets(resource: Resource, world: World) -> tuple[Problem, ...]:
    """One problem for each Secret, or key in one, that ``resource`` refers to and that does not exist."""
    problems = []
    for reference in needed_secret_keys(resource, world):
        keys = world.secret(resource.namespace, reference.name)
        if keys is None:
            how = f" ({reference.how})" if reference.how else ""
            what = f"Secret {reference.name!r} does not exist in namespace {resource.namespace!r}; create it{how}"
        elif reference.key and reference.key not in keys:
            what = f"Secret {reference.name!r} has no key {reference.key!r}; add it"
        else:
            continue
        problems.append(Problem(Reason.SECRET_NOT_FOUND, f"{what}, or fix {reference.field}"))
    return tuple(dict.fromkeys(problems))  # a Secret that is not there misses all its keys at once


def missing_code(resource: Resource, world: World) -> tuple[Problem, ...]:
    """The problem with the ConfigMap that the code of ``resource`` is in, where there is one."""
    code = resource.spec.code if isinstance(resource, IsekAgent) else None
    if code is None or code.config_map_ref is None:
        return ()
    name = code.config_map_ref.name
    found = world.named("ConfigMap", resource.namespace, name)
    if found is not None and code.file in found.get("data", ()):
        return ()
    if found is None:
        message = (
            f"ConfigMap {name!r} does not exist in namespace {resource.namespace!r}; create it, or fix "
            f"spec.code.configMapRef"
        )
    else:
        message = f"ConfigMap {name!r} has no key {code.file!r}; add the file, or fix spec.code.entrypoint"
    return (Problem(Reason.CODE_NOT_FOUND, message),)


def missing_claims(resource: Resource, world: World) -> tuple[Problem, ...]:
    """One problem for each volume claim that ``resource`` refers to and that does not exist."""
    return tuple(
        Problem(
            Reason.CLAIM_NOT_FOUND,
            f"PersistentVolumeClaim {name!r} does not exist in namespace {namespace!r}; create it, or fix "
            "spec.memory.claim, or leave that out to have one made",
        )
        for namespace, name in sorted(referenced_claims(resource))
        if world.named("PersistentVolumeClaim", namespace, name) is None
    )
