"""Which other objects a resource names."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

from isek.api import IsekAgent, IsekMesh, IsekNode, IsekTeam, Resource
from isek.api.access import Access
from isek.api.model import OneModel
from isek.api.workload import DEFAULT_MESH, PodTemplate, Reference, SecretValue

from isek_operator.decide.world import World
from isek_operator.manifests.secret import GIVEN_NETWORK_KEY

Hosted = IsekAgent | IsekTeam
"""What is hosted on an IsekNode, or on a Deployment of its own."""

User = IsekAgent | IsekTeam | IsekNode
"""What joins a mesh."""

HOSTED_KINDS = ("IsekAgent", "IsekTeam")
USER_KINDS = ("IsekNode", *HOSTED_KINDS)


Referent = tuple[str, str, str]
"""Kind, namespace and name of an object that is referred to, whether it is there or not."""


class MeshName(NamedTuple):
    """Names an IsekMesh."""

    namespace: str
    name: str

    @classmethod
    def of(cls, mesh: IsekMesh) -> Self:
        """The name of ``mesh``."""
        return cls(mesh.namespace, mesh.name)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From ``<namespace>/<name>``, as it stands in a status."""
        namespace, _, name = text.partition("/")
        return cls(namespace, name)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class SecretKey:
    """A key of a Secret that a resource refers to."""

    field: str
    """Where it is referred to."""
    name: str
    key: str
    """Empty: whatever keys it has."""
    how: str = ""
    """A command that creates it, where that is no matter of course."""


@dataclass(frozen=True)
class PeerReference:
    """An agent or a team that a resource asks for help."""

    field: str
    """Where it is named."""
    kinds: tuple[str, ...]
    """What it may be."""
    namespace: str
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


def own_mesh_name(user: User) -> MeshName | None:
    """The mesh that ``user`` itself names; None: it is hosted on an IsekNode, whose mesh it uses."""
    if node_name(user):
        return None
    reference = user.spec.mesh_ref
    if reference is None:
        return MeshName(user.namespace, DEFAULT_MESH)
    return MeshName(reference.namespace or user.namespace, reference.name)


def mesh_name(user: User, world: World) -> MeshName | None:
    """The mesh that ``user`` is in; None: that hangs on an IsekNode that is not there."""
    named_node = node_name(user)
    if named_node is None:
        return own_mesh_name(user)
    host = node(user.namespace, named_node, world)
    return own_mesh_name(host) if host else None


def mesh_users(named: MeshName, world: World) -> Iterator[User]:
    """All that want to have pods of their own in a mesh, wherever they live and whether it lets them in or not."""
    return (user for user in world.referrers("IsekMesh", *named) if isinstance(user, User))


def peer_references(resource: Resource) -> tuple[PeerReference, ...]:
    """The members of a team, the agents that are an agent's tools."""
    return tuple(
        PeerReference(field, kinds, reference.namespace or resource.namespace, reference.name)
        for field, kinds, reference in _peers(resource)
    )


def _peers(resource: Resource) -> Iterator[tuple[str, tuple[str, ...], Reference]]:
    if isinstance(resource, IsekTeam):
        for index, member in enumerate(resource.spec.members):
            if member.reference:
                yield f"spec.members[{index}]", ("IsekAgent",) if member.agent else ("IsekTeam",), member.reference
    elif isinstance(resource, IsekAgent):
        for index, tool in enumerate(resource.spec.tools):
            if tool.agent:
                yield f"spec.tools[{index}].agent", HOSTED_KINDS, tool.agent


def models(resource: Resource) -> Iterator[tuple[str, OneModel]]:
    """The models that think for an agent or for the leader of a team, each with its field."""
    if isinstance(resource, Hosted) and resource.spec.model is not None:
        yield "spec.model", resource.spec.model
        for number, fallback in enumerate(resource.spec.model.fallbacks or ()):
            yield f"spec.model.fallbacks[{number}]", fallback


def mounted_secret_keys(resource: Resource) -> tuple[SecretKey, ...]:
    """The keys of Secrets that the node reads as files on behalf of ``resource``."""
    return tuple(
        _secret_key(field, value)
        for field, value in (*_model_secrets(resource), *_tool_secrets(resource), *_memory_secrets(resource))
    )


def model_keys(resource: Resource, provider: str) -> Iterator[SecretKey]:
    """Those among them that are API keys of the provider's models."""
    for field, model in models(resource):
        if model.provider == provider and model.api_key is not None:
            yield _secret_key(f"{field}.apiKey", model.api_key)


def _secret_key(field: str, value: SecretValue) -> SecretKey:
    return SecretKey(f"{field}.secretKeyRef", value.secret_key_ref.name, value.secret_key_ref.key)


def _model_secrets(resource: Resource) -> Iterator[tuple[str, SecretValue]]:
    for field, model in models(resource):
        if model.api_key is not None:
            yield f"{field}.apiKey", model.api_key


def _tool_secrets(resource: Resource) -> Iterator[tuple[str, SecretValue]]:
    for index, tool in enumerate(resource.spec.tools if isinstance(resource, IsekAgent) else ()):
        field = f"spec.tools[{index}]"
        if tool.sql:
            yield f"{field}.sql.url", tool.sql.url
        if tool.web_search and tool.web_search.api_key:
            yield f"{field}.webSearch.apiKey", tool.web_search.api_key
        for kind, asked in (("http", tool.http), ("mcp", tool.mcp)):
            for number, header in enumerate(asked.headers if asked else ()):
                if header.value_from:
                    yield f"{field}.{kind}.headers[{number}].valueFrom", header.value_from


def _memory_secrets(resource: Resource) -> Iterator[tuple[str, SecretValue]]:
    memory = resource.spec.memory if isinstance(resource, IsekAgent) else None
    if memory and memory.url:
        yield "spec.memory.url", memory.url


def secret_keys(resource: Resource) -> tuple[SecretKey, ...]:
    """All keys of Secrets without which the pods of ``resource`` do not start or do not work."""
    if isinstance(resource, IsekMesh):
        return (*_etcd_keys(resource), *_network_keys(resource))
    if not isinstance(resource, User):
        return ()
    tokens = _tokens(resource.spec.access) if isinstance(resource, Hosted) else ()
    template = resource.spec.template
    return (*mounted_secret_keys(resource), *_environment_keys(template), *_serving_keys(template), *tokens)


def needed_secret_keys(resource: Resource, world: World) -> tuple[SecretKey, ...]:
    """With what its mesh says of the callers of all: their tokens are in each namespace its own."""
    named = mesh_name(resource, world) if isinstance(resource, Hosted) else None
    joined = mesh(*named, world) if named else None
    own = secret_keys(resource)
    if joined is None or not isinstance(resource, Hosted) or (resource.spec.access and resource.spec.access.outside):
        return own
    return (*own, *_tokens(joined.spec.access, f" of IsekMesh {joined.name!r}"))


def _tokens(access: Access | None, whose: str = "") -> tuple[SecretKey, ...]:
    outside = access.outside if access else None
    if outside is None or outside.tokens_secret is None:
        return ()
    return (SecretKey(f"spec.access.outside.tokensSecret{whose}", outside.tokens_secret.name, ""),)


def code_maps(resources: Iterable[Resource]) -> frozenset[tuple[str, str]]:
    """Namespace and name of every ConfigMap with the code of one of ``resources``."""
    return frozenset(
        (agent.namespace, agent.spec.code.config_map_ref.name)
        for agent in resources
        if isinstance(agent, IsekAgent) and agent.spec.code and agent.spec.code.config_map_ref
    )


def referenced_secrets(resource: Resource) -> set[tuple[str, str]]:
    """Namespace and name of every Secret that ``resource`` refers to."""
    return _names(resource, secret_keys(resource))


def needed_secrets(resource: Resource, world: World) -> set[tuple[str, str]]:
    """Those too that its mesh refers to on its behalf."""
    return _names(resource, needed_secret_keys(resource, world))


def _names(resource: Resource, keys: Iterable[SecretKey]) -> set[tuple[str, str]]:
    return {(resource.namespace, key.name) for key in keys}


def referenced_claims(resource: Resource) -> set[tuple[str, str]]:
    """Namespace and name of every PersistentVolumeClaim of others that ``resource`` refers to."""
    memory = resource.spec.memory if isinstance(resource, IsekAgent) else None
    return {(resource.namespace, memory.claim.name)} if memory and memory.claim else set()


def _etcd_keys(mesh: IsekMesh) -> Iterator[SecretKey]:
    etcd = mesh.spec.etcd
    if etcd.external:
        for key in ("ca.crt", "tls.crt", "tls.key"):
            yield SecretKey("spec.etcd.external.tlsSecret", etcd.external.tls_secret.name, key)
    elif etcd.tls.ca_secret:
        for key in ("tls.crt", "tls.key"):
            yield SecretKey("spec.etcd.tls.caSecret", etcd.tls.ca_secret.name, key)


def _network_keys(mesh: IsekMesh) -> Iterator[SecretKey]:
    name = mesh.spec.p2p.private_network_key.secret_name
    if mesh.spec.p2p.enabled and name:
        yield SecretKey("spec.p2p.privateNetworkKey", name, GIVEN_NETWORK_KEY, how_to_make_network_key(mesh, name))


def how_to_make_network_key(mesh: IsekMesh, secret: str) -> str:
    """A command for a shell."""
    key = "$(printf '/key/swarm/psk/1.0.0/\\n/base16/\\n%s' $(openssl rand -hex 32))"
    return f'kubectl create secret generic -n {mesh.namespace} {secret} --from-literal={GIVEN_NETWORK_KEY}="{key}"'


def _serving_keys(template: PodTemplate | None) -> Iterator[SecretKey]:
    if template and template.tls_secret:
        for key in ("tls.crt", "tls.key"):
            yield SecretKey("spec.template.tlsSecret", template.tls_secret.name, key)


def _environment_keys(template: PodTemplate | None) -> Iterator[SecretKey]:
    for index, variable in enumerate((template and template.env) or ()):
        selector = (variable.value_from or {}).get("secretKeyRef")
        if not isinstance(selector, dict) or selector.get("optional"):
            continue  # the API server says what is wrong with another shape
        if isinstance(selector.get("name"), str) and isinstance(selector.get("key"), str):
            field = f"spec.template.env[{index}].valueFrom.secretKeyRef"
            yield SecretKey(field, selector["name"], selector["key"])


def referents(resource: Resource) -> Iterator[Referent]:
    """All that the specification of ``resource`` refers to: an object that changes, comes or goes may concern it.

    Of a peer, both that may have its name: who is told what is missing is told about the other one, too.
    """
    if isinstance(resource, User):
        if node := node_name(resource):
            yield ("IsekNode", resource.namespace, node)
        if mesh := own_mesh_name(resource):
            yield ("IsekMesh", *mesh)
    for peer in peer_references(resource):
        yield from ((kind, peer.namespace, peer.name) for kind in HOSTED_KINDS)
    for namespace, name in referenced_secrets(resource):
        yield ("Secret", namespace, name)
