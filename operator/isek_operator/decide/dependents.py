"""Which custom resources are to be looked at again when something changes."""

from collections.abc import Iterable, Iterator

from isek.api import KINDS, IsekMesh, Resource

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
)
from isek_operator.decide.world import World
from isek_operator.manifests.secret import etcd_client_secret_name, private_network_secret_name

Dependent = tuple[str, str, str]
"""Kind, namespace and name of a custom resource."""


def dependents(kind: str, namespace: str, name: str, before: Resource | None, world: World) -> Iterable[Dependent]:
    """What a decision may turn out differently for, now that the object changed, came or went.

    ``before`` is a custom resource as it was; None: it was not there. ``world`` is as it is after the change.
    """
    found = dict.fromkeys(_dependents(kind, namespace, name, before, world))
    found.pop((kind, namespace, name), None)
    return [each for each in found if world.resource(*each)]


def _dependents(kind: str, namespace: str, name: str, before: Resource | None, world: World) -> Iterator[Dependent]:
    if kind == "Secret":
        yield from _secret_users(namespace, name, world)
    elif kind == "Namespace":
        yield from _selected_by_labels(name, world)
    elif kind in KINDS:
        for each in (before, world.resource(kind, namespace, name)):
            if isinstance(each, User):
                yield from _referred_to(each, world)
        yield from map(_key, world.referrers(kind, namespace, name))
        if kind in HOSTED_KINDS:
            yield from ((other, namespace, name) for other in HOSTED_KINDS)


def _referred_to(user: User, world: World) -> Iterator[Dependent]:
    """Its mesh and its node, also those that its status names: it still takes up room there.

    And those for whom there was no room on that node: there may be some now.
    """
    meshes = {own_mesh_name(user), MeshName.parse(user.status.mesh) if user.status.mesh else None}
    nodes = {node_name(user), user.status.node if isinstance(user, Hosted) else None}
    for mesh in sorted(filter(None, meshes)):
        yield ("IsekMesh", *mesh)
    for node in sorted(filter(None, nodes)):
        yield ("IsekNode", user.namespace, node)
        for guest in world.referrers("IsekNode", user.namespace, node):
            refused = condition(guest, "Ready")
            if refused and refused.reason == Reason.NODE_FULL:
                yield _key(guest)


def _secret_users(namespace: str, name: str, world: World) -> Iterator[Dependent]:
    """Those that refer to it, and the nodes that host them; of a mesh's key, all that have sidecars."""
    for each in world.resources("IsekMesh", namespace):
        if isinstance(each, IsekMesh) and name in {private_network_secret_name(each), etcd_client_secret_name(each)}:
            yield from map(_key, mesh_users(MeshName.of(each), world))
    for each in world.referrers("Secret", namespace, name):
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
