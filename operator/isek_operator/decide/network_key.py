"""The key of a mesh's private network: where it stands, and what anybody may know of it."""

from collections.abc import Mapping

from isek.api import IsekMesh
from isek.processes.network_key import MAX_KEYS

from isek_operator.decide.outcome import GeneratedSecret, Manifest
from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.references import how_to_make_network_key
from isek_operator.decide.rollout import child
from isek_operator.decide.world import World
from isek_operator.manifests.mesh_copy import Source
from isek_operator.manifests.secret import (
    private_network_data_key,
    private_network_secret,
    private_network_secret_name,
)


def network_key_secrets(mesh: IsekMesh) -> tuple[GeneratedSecret, ...]:
    """The Secret with the key that the operator makes; none where a user gives one, or nobody needs any."""
    p2p = mesh.spec.p2p
    return (private_network_secret(mesh),) if p2p.enabled and not p2p.private_network_key.secret_name else ()


def made_network_key(mesh: IsekMesh, world: World) -> Manifest | None:
    """The live Secret of the operator's own; None: it is not there (yet), or not wanted."""
    if not network_key_secrets(mesh):
        return None
    return child(world.children(mesh.metadata.uid), "Secret", private_network_secret_name(mesh))


def accepted_network_keys(mesh: IsekMesh, world: World) -> tuple[str, ...]:
    """Fingerprints of the keys in the mesh's Secret, the one that is dialled with first."""
    if not mesh.spec.p2p.enabled:
        return ()
    if mesh.spec.p2p.private_network_key.secret_name:
        return _fingerprints(mesh, world.secret(mesh.namespace, private_network_secret_name(mesh)))
    secret = made_network_key(mesh, world)
    return _fingerprints(mesh, secret["data"] if secret else None)


def network_key_source(mesh: IsekMesh, world: World) -> Source | None:
    """What pods mount; None: it is not there, or is no key that a sidecar would start with."""
    data_key = private_network_data_key(mesh)
    if (secret := made_network_key(mesh, world)) is not None:
        return Source.of(secret, (data_key,))
    if not mesh.spec.p2p.private_network_key.secret_name or not (keys := accepted_network_keys(mesh, world)):
        return None
    return Source(mesh.namespace, private_network_secret_name(mesh), " ".join(keys), (data_key,))


def misshapen_network_key(mesh: IsekMesh, world: World) -> tuple[Problem, ...]:
    """What is wrong with the key, where it is there."""
    if not mesh.spec.p2p.enabled or accepted_network_keys(mesh, world):
        return ()
    given, made = mesh.spec.p2p.private_network_key.secret_name, made_network_key(mesh, world)
    data_key = private_network_data_key(mesh)
    if given and data_key not in (world.secret(mesh.namespace, given) or {}):
        return ()  # named as missing
    if not given and made is None:
        return ()  # about to be made
    cure = f"To make one: {how_to_make_network_key(mesh, given)}" if given else "Delete it, and a new one is made"
    message = (
        f"Secret {private_network_secret_name(mesh)!r}: {data_key} is no private network key; it needs the lines "
        f"/key/swarm/psk/1.0.0/, /base16/ and 64 hex digits, and again for each further key ({MAX_KEYS} at most, none "
        f"twice). {cure}"
    )
    return (Problem(Reason.SECRET_INVALID, message),)


def _fingerprints(mesh: IsekMesh, data: Mapping[str, str | None] | None) -> tuple[str, ...]:
    return tuple(((data or {}).get(private_network_data_key(mesh)) or "").split())
