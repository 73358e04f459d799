"""Which other objects a resource names."""

from collections.abc import Iterator
from dataclasses import dataclass

from isek.api import IsekAgent, IsekMesh, IsekNode, IsekTeam, Resource
from isek.api.workload import DEFAULT_MESH, PodTemplate

from isek_operator.decide.world import World

Hosted = IsekAgent | IsekTeam
"""What is hosted on an IsekNode, or on a Deployment of its own."""

User = IsekAgent | IsekTeam | IsekNode
"""What joins a mesh."""

HOSTED_KINDS = ("IsekAgent", "IsekTeam")
USER_KINDS = ("IsekNode", *HOSTED_KINDS)


@dataclass(frozen=True)
class SecretKey:
    """A key of a Secret that a resource refers to."""

    field: str
    """Where it is referred to."""
    name: str
    key: str


@dataclass(frozen=True)
class PeerReference:
    """An agent or a team that a resource asks for help."""

    field: str
    """Where it is named."""
    kinds: tuple[str, ...]
    """What it may be."""
    name: str


def hosted(kind: str, namespace: str, name: str, world: World) -> Hosted | None:
    """The agent or team of that name; None: it is not there."""
    resource = world.resource(kind, namespace, name)
    return resource if isinstance(resource, Hosted) else None


def node(namespace: str, name: str, world: World) -> IsekNode | None:
    """The IsekNode of that name; None: it is not there."""
    resource = world.resource("IsekNode", namespace, name)
    return resource if isinstance(resource, IsekNode) else None


def mesh(namespace: str, name: str, world: World) -> IsekMesh | None:
    """The IsekMesh of that name; None: it is not there."""
    resource = world.resource("IsekMesh", namespace, name)
    return resource if isinstance(resource, IsekMesh) else None


def node_name(resource: Resource) -> str | None:
    """The IsekNode that ``resource`` wants to be hosted on."""
    return resource.spec.node_ref.name if isinstance(resource, Hosted) and resource.spec.node_ref else None


def own_mesh_name(user: User) -> str | None:
    """The mesh that ``user`` itself names; None: it is hosted on an IsekNode, whose mesh it uses."""
    if node_name(user):
        return None
    return user.spec.mesh_ref.name if user.spec.mesh_ref else DEFAULT_MESH


def mesh_name(user: User, world: World) -> str | None:
    """The mesh that ``user`` is in; None: that hangs on an IsekNode that is not there."""
    named_node = node_name(user)
    if named_node is None:
        return own_mesh_name(user)
    host = node(user.namespace, named_node, world)
    return own_mesh_name(host) if host else None


def mesh_users(namespace: str, name: str, world: World) -> Iterator[User]:
    """All that have pods of their own in the mesh ``name``."""
    for kind in USER_KINDS:
        for user in world.resources(kind, namespace):
            if isinstance(user, User) and own_mesh_name(user) == name:
                yield user


def peer_references(resource: Resource) -> tuple[PeerReference, ...]:
    """The members of a team, the agents that are an agent's tools."""
    if isinstance(resource, IsekTeam):
        return tuple(
            PeerReference(f"spec.members[{index}]", ("IsekAgent",) if member.agent else ("IsekTeam",), member.name)
            for index, member in enumerate(resource.spec.members)
        )
    if isinstance(resource, IsekAgent):
        return tuple(
            PeerReference(f"spec.tools[{index}].agent", HOSTED_KINDS, tool.agent.name)
            for index, tool in enumerate(resource.spec.tools)
            if tool.agent
        )
    return ()


def mounted_secret_keys(resource: Resource) -> tuple[SecretKey, ...]:
    """The keys of Secrets that the node reads as files on behalf of ``resource``."""
    if not isinstance(resource, IsekAgent) or resource.spec.model.api_key is None:
        return ()
    selector = resource.spec.model.api_key.secret_key_ref
    return (SecretKey("spec.model.apiKey.secretKeyRef", selector.name, selector.key),)


def secret_keys(resource: Resource) -> tuple[SecretKey, ...]:
    """All keys of Secrets without which the pods of ``resource`` do not start or do not work."""
    if not isinstance(resource, User):
        return ()
    return (*mounted_secret_keys(resource), *_environment_keys(resource.spec.template))


def referenced_secrets(resource: Resource) -> set[tuple[str, str]]:
    """Namespace and name of every Secret that ``resource`` refers to."""
    return {(resource.namespace, key.name) for key in secret_keys(resource)}


def _environment_keys(template: PodTemplate | None) -> Iterator[SecretKey]:
    for index, variable in enumerate((template and template.env) or ()):
        selector = (variable.value_from or {}).get("secretKeyRef")
        if not isinstance(selector, dict) or selector.get("optional"):
            continue  # the API server says what is wrong with another shape
        if isinstance(selector.get("name"), str) and isinstance(selector.get("key"), str):
            field = f"spec.template.env[{index}].valueFrom.secretKeyRef"
            yield SecretKey(field, selector["name"], selector["key"])
