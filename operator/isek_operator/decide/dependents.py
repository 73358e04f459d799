"""Which custom resources are to be looked at again when something changes."""

from collections.abc import Iterable, Iterator

from isek.api import IsekMesh, Resource

from isek_operator.decide.conditions import condition
from isek_operator.decide.reasons import Reason
from isek_operator.decide.references import (
    HOSTED_KINDS,
    USER_KINDS,
    Hosted,
    MeshName,
    User,
    mesh_users,
    node_name,
    own_mesh_name,
    peer_references,
    referenced_secrets,
)
from isek_operator.decide.world import World
from isek_operator.manifests.secret import private_network_secret_name

Dependent = tuple[str, str, str]
"""Kind, namespace and name of a custom resource."""


def dependents(kind: str, namespace: str, name: str, world: World) -> Iterable[Dependent]:
    """What a decision may turn out differently for, now that the object changed, came or went.

    ``world`` is as it is after the change. What the object referred to before is known from its status; of one that
    is gone nothing is known, so that all that it may have referred to is looked at.
    """
    found = dict.fromkeys(_dependents(kind, namespace, name, world))
    found.pop((kind, namespace, name), None)
    return [each for each in found if world.resource(*each)]


def _dependents(kind: str, namespace: str, name: str, world: World) -> Iterator[Dependent]:
    if kind == "Secret":
        yield from _secret_users(namespace, name, world)
    elif kind == "Namespace":
        yield from _selected_by_labels(name, world)
    elif kind == "IsekMesh":
        yield from map(_key, mesh_users(MeshName(namespace, name), world))
    elif kind in USER_KINDS:
        changed = world.resource(kind, namespace, name)
        if isinstance(changed, User):
            yield from _referred_to(changed, world)
        else:
            yield from map(_key, world.everywhere("IsekMesh"))
            yield from map(_key, world.resources("IsekNode", namespace))
        if kind == "IsekNode":
            yield from _guests(namespace, name, world)
        else:
            yield from ((other, namespace, name) for other in HOSTED_KINDS if world.resource(other, namespace, name))
            yield from _askers(namespace, name, world)
            yield from _refused_by(changed, namespace, world)


def _referred_to(user: User, world: World) -> Iterator[Dependent]:
    """Its mesh and its node, also those of before: it still takes up room there."""
    meshes = {own_mesh_name(user), MeshName.parse(user.status.mesh) if user.status.mesh else None}
    nodes = {node_name(user), user.status.node if isinstance(user, Hosted) else None}
    for mesh in sorted(filter(None, meshes)):
        yield ("IsekMesh", *mesh)
    for node in sorted(filter(None, nodes)):
        yield ("IsekNode", user.namespace, node)


def _guests(namespace: str, node: str, world: World) -> Iterator[Dependent]:
    """All that want to run on the node; a change of its mesh reaches those who ask them through their status."""
    for kind in HOSTED_KINDS:
        yield from (_key(each) for each in world.resources(kind, namespace) if node_name(each) == node)


def _askers(namespace: str, name: str, world: World) -> Iterator[Dependent]:
    """Teams that it is a member of, agents that it is a tool of."""
    for kind in HOSTED_KINDS:
        for each in world.everywhere(kind):
            if any((peer.namespace, peer.name) == (namespace, name) for peer in peer_references(each)):
                yield _key(each)


def _refused_by(changed: Resource | None, namespace: str, world: World) -> Iterator[Dependent]:
    """Those for whom there was no room: there may be some now."""
    node = node_name(changed) if changed else None
    for kind in HOSTED_KINDS:
        for each in world.resources(kind, namespace):
            refused = condition(each, "Ready") if node_name(each) else None
            if refused and refused.reason == Reason.NODE_FULL and node in (None, node_name(each)):
                yield _key(each)


def _secret_users(namespace: str, name: str, world: World) -> Iterator[Dependent]:
    """Those that refer to it, and the nodes that host them; of a mesh's key, all that have sidecars."""
    for each in world.resources("IsekMesh", namespace):
        if isinstance(each, IsekMesh) and private_network_secret_name(each) == name:
            yield from map(_key, mesh_users(MeshName.of(each), world))
    for kind in USER_KINDS:
        for each in world.resources(kind, namespace):
            if (namespace, name) in referenced_secrets(each):
                yield _key(each)
                if host := node_name(each):
                    yield ("IsekNode", namespace, host)


def _selected_by_labels(namespace: str, world: World) -> Iterator[Dependent]:
    """All of a namespace that want to join meshes of others, and these meshes."""
    for kind in USER_KINDS:
        for each in world.resources(kind, namespace):
            mesh = own_mesh_name(each) if isinstance(each, User) else None
            if mesh is not None and mesh.namespace != namespace:
                yield _key(each)
                yield ("IsekMesh", *mesh)


def _key(resource: Resource) -> Dependent:
    return (resource.kind, resource.namespace, resource.name)
