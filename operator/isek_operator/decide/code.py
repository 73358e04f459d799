"""The ConfigMaps with the code of agents."""

import hashlib
from collections.abc import Iterable

from isek.api import Resource

from isek_operator.decide.references import code_maps
from isek_operator.decide.world import World

CodeDigests = tuple[tuple[str, str], ...]
"""Of each ConfigMap with the code of those that some pods host, its name and a digest of what is in it."""


def code_digests(resources: Iterable[Resource], world: World) -> CodeDigests:
    """Of all ConfigMaps that ``resources``, of one namespace, have their code from."""
    return tuple((name, _digest(namespace, name, world)) for namespace, name in sorted(code_maps(resources)))


def _digest(namespace: str, name: str, world: World) -> str:
    found = world.named("ConfigMap", namespace, name) or {}
    return hashlib.sha256(repr(sorted(found.get("data", {}).items())).encode()).hexdigest()[:16]
