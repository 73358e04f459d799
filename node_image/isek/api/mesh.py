"""IsekMesh: the ground that agents share: discovery and identity."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from isek.api.access import Access
from isek.api.fields import (
    Annotations,
    AnyObject,
    Host,
    ImageName,
    LabelValue,
    ObjectName,
    Quantity,
    ShortText,
)
from isek.api.resource import Column, Resource, Status, columns
from isek.api.schema import Model, Rule

MAX_ADDRESS = 384
"""Characters of a multiaddr: a name has up to 253."""


class EtcdStorage(Model):
    """The volume of each etcd member."""

    size: Quantity = "1Gi"
    """Its size. With another the etcd is made anew, empty, and nodes register again."""
    class_name: ObjectName | None = None
    """Its StorageClass; default: the cluster's. With another the etcd is made anew, too."""
    when_deleted: Literal["Delete", "Retain"] = "Delete"
    """What becomes of the volumes when the mesh is deleted, and when they are to be others."""


class SecretName(Model):
    """A Secret of the mesh's namespace."""

    name: ObjectName
    """Its name."""


class EtcdExposure(Model):
    """A Service through which nodes of other clusters reach the etcd; it asks each of them for a certificate."""

    type: Literal["LoadBalancer", "NodePort"]
    """How it is reached from outside."""
    names: Annotated[tuple[Host, ...], Field(min_length=1, max_length=16)]
    """Host names and IP addresses under which other clusters reach it: they stand in the members' certificate."""
    annotations: Annotations | None = None
    """Of the Service: how the provider of load balancers is to make it."""


class EtcdTls(Model):
    """Who vouches for the members and the nodes: they speak TLS with each other, always."""

    ca_secret: SecretName | None = None
    """Secret with a certificate authority of your own for this mesh (tls.crt and tls.key, as cert-manager writes it);
    default: the operator makes one."""


class ExternalEtcd(Model):
    """An etcd that somebody else runs."""

    endpoints: Annotated[
        tuple[Annotated[str, Field(max_length=253, pattern=r"^https://[^/@,\s]+:[0-9]{1,5}$")], ...],
        Field(min_length=1, max_length=9),
    ]
    """https://host:port of each member, or of what stands in front of them."""
    tls_secret: SecretName
    """Secret with the nodes' certificate (tls.crt, tls.key), and ca.crt, against which they check the members'."""


class Etcd(Model):
    """The etcd that nodes find each other through. It holds leased soft state only: there is nothing to back up."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.external) || !has(self.tls.caSecret)",
            message="tls.caSecret is for an etcd that the operator provisions; leave it out beside external",
            holds=lambda etcd: etcd.external is None or etcd.tls.ca_secret is None,
        ),
        Rule(
            cel="!has(self.external) || self.replicas == 1",
            message="whoever runs the external etcd says how many members it has; leave replicas out",
            holds=lambda etcd: etcd.external is None or etcd.replicas == 1,
        ),
        Rule(
            cel="!has(self.external) || !has(self.expose)",
            message="expose is for an etcd that the operator provisions; leave it out beside external",
            holds=lambda etcd: etcd.external is None or etcd.expose is None,
        ),
    )

    replicas: Literal[1, 3, 5] = 1
    """Members. When it changes they come and go one at a time, and nothing is lost."""
    image: ImageName = "registry.k8s.io/etcd:3.6.8-0"
    """Image of the members: etcd 3.6 or later. An etcd that runs takes another patch release or the next minor version,
    by the tag, and no other; a tag without a version, such as latest, is taken as it is."""
    image_pull_secrets: Annotated[tuple[SecretName, ...], Field(max_length=16)] | None = None
    """Secrets to pull the members' images with: that of etcd, and the operator's, which guards their start."""
    storage: EtcdStorage = EtcdStorage()
    """The volume of each member."""
    tls: EtcdTls = EtcdTls()
    """Who vouches for members and nodes."""
    expose: EtcdExposure | None = None
    """Lets nodes of other clusters in, which join the mesh there by `external`. Default: the etcd stays inside."""
    external: ExternalEtcd | None = None
    """An etcd that somebody else runs, in the place of one that the operator provisions."""


class RegistrySpec(Model):
    """How nodes are known."""

    ttl_seconds: Annotated[int, Field(ge=5, le=600)] = 15
    """Seconds after which a node that was killed is forgotten."""


class PrivateNetworkKey(Model):
    """The key without which nobody can connect to the sidecars of the mesh."""

    secret_name: ObjectName | None = None
    """Secret with a key of your own, in the swarm key format, under swarm.key: meshes of several clusters with the same
    one are one network. Default: the operator makes one."""
    rotation: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """With another number the operator replaces the key that it has made, while calls go on: the condition
    NetworkKeyCurrent says how far it is."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.secretName) || self.rotation == 0",
            message="whoever gives the key replaces it; leave rotation out beside secretName",
            holds=lambda key: key.secret_name is None or key.rotation == 0,
        ),
    )


class RelayService(Model):
    """The Services of the relays, one for each."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    """ClusterIP reaches the pods of one cluster only."""
    hosts: Annotated[tuple[Host, ...], Field(max_length=8)] = ()
    """Host names and IP addresses under which the Services are reached from outside. For NodePort: those of machines.
    For LoadBalancer: default: what its status says."""
    annotations: Annotations | None = None
    """Of each Service: how the provider of load balancers is to make it."""

    rules = (
        Rule(
            cel="!has(self.type) || self.type != 'NodePort' || (has(self.hosts) && self.hosts.size() > 0)",
            message="hosts goes with NodePort: the names or addresses of machines that other clusters reach",
            holds=lambda service: service.type != "NodePort" or bool(service.hosts),
        ),
        Rule(
            cel="(has(self.type) && self.type != 'ClusterIP') || !has(self.hosts) || self.hosts.size() == 0",
            message="hosts goes with NodePort and LoadBalancer; a ClusterIP is reached from inside only",
            holds=lambda service: service.type != "ClusterIP" or not service.hosts,
        ),
    )


class Relays(Model):
    """Whom sidecars reach each other through that cannot dial each other."""

    replicas: Annotated[int, Field(ge=0, le=9)] = 0
    """Relays of the mesh's own, each with an identity and a Service of its own."""
    service: RelayService = RelayService()
    """How they are reached."""
    addresses: Annotated[
        tuple[
            Annotated[
                str,
                Field(
                    max_length=MAX_ADDRESS,
                    pattern=r"^/(ip4|ip6|dns|dns4|dns6)/[-.:0-9A-Za-z]+/tcp/[0-9]{1,5}(/ws|/wss|/tls/ws)?/p2p/[0-9A-Za-z]{46,62}$",
                ),
            ],
            ...,
        ],
        Field(max_length=16),
    ] = ()
    """Relays elsewhere, such as status.relays of the mesh in another cluster."""
    resources: AnyObject | None = None
    """Of each relay (core/v1 ResourceRequirements); default: 50m and 64Mi, at most 768Mi."""


class P2P(Model):
    """How nodes talk to each other."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            # defaults, empty objects, are held against it before what is below them is filled in
            cel="!has(self.enabled) || self.enabled || !has(self.relays.replicas) || self.relays.replicas == 0",
            message="relays carry libp2p; leave them out where it is not enabled",
            holds=lambda p2p: p2p.enabled or not p2p.relays.replicas,
        ),
        Rule(
            cel="!has(self.enabled) || self.enabled || !has(self.fallback) || self.fallback == 'None'",
            message="fallback is for calls over libp2p; leave it out where that is not enabled: all calls go over HTTP",
            holds=lambda p2p: p2p.enabled or p2p.fallback == "None",
        ),
    )

    enabled: bool = True
    """True: over libp2p, each node with a sidecar. False: plain HTTP between pods."""
    fallback: Literal["None", "HTTP"] = "None"
    """What becomes of a call that no path of libp2p could deliver. HTTP: it goes to a pod of the same cluster in plain
    text, and counts there as one from outside the mesh. None: it fails."""
    private_network_key: PrivateNetworkKey = PrivateNetworkKey()
    """The key without which nobody can connect to the sidecars of the mesh."""
    relays: Relays = Relays()
    """Whom sidecars reach each other through that cannot dial each other: those of other clusters, or behind NAT."""


class LabelSelectorRequirement(Model):
    """A condition on one label (metav1.LabelSelectorRequirement)."""

    key: Annotated[str, Field(min_length=1, max_length=316)]
    """The label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How its value is held against `values`; NotIn also holds where the label is missing."""
    values: Annotated[tuple[LabelValue, ...], Field(max_length=64)] = ()
    """For In and NotIn."""

    rules = (
        Rule(
            cel="(self.operator in ['In', 'NotIn']) == (self.values.size() > 0)",
            message="values go with the operators In and NotIn, and with no other",
            holds=lambda requirement: (requirement.operator in {"In", "NotIn"}) == bool(requirement.values),
        ),
    )


class LabelSelector(Model):
    """Labels that an object must have, all of it (metav1.LabelSelector); an empty one selects everything."""

    match_labels: Annotated[dict[ShortText, LabelValue], Field(max_length=64)] = Field(default_factory=dict)
    """Labels and their values."""
    match_expressions: Annotated[tuple[LabelSelectorRequirement, ...], Field(max_length=64)] = ()
    """Conditions on labels."""


class AllowedNamespaces(Model):
    """Which namespaces' resources may join (the semantics are those of the Gateway API's allowedRoutes.namespaces)."""

    from_: Annotated[Literal["Same", "All", "Selector"], Field(alias="from")] = "Same"
    """Same: the mesh's own only. All: every one. Selector: the own one, and those whose labels `selector` selects."""
    selector: LabelSelector | None = None
    """Held against the labels of namespaces."""

    rules = (
        Rule(
            # the field's own default, an empty object, is held against it before defaults are filled in
            cel="(has(self.from) && self.from == 'Selector') == has(self.selector)",
            message="selector goes with from: Selector, and with no other",
            holds=lambda allowed: (allowed.from_ == "Selector") == (allowed.selector is not None),
        ),
    )


class IsekMeshSpec(Model):
    """What the mesh is to be."""

    mesh_id: Annotated[
        str | None,
        Field(alias="meshID", min_length=1, max_length=127, pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"),
    ] = None
    """The mesh's name in its registry; default: <namespace>.<name>."""
    etcd: Etcd = Etcd()
    """The etcd that the mesh's nodes find each other through."""
    registry: RegistrySpec = RegistrySpec()
    """How nodes are known."""
    p2p: Annotated[P2P, Field(alias="p2p")] = P2P()
    """How nodes talk to each other."""
    allowed_namespaces: AllowedNamespaces = AllowedNamespaces()
    """Whose IsekAgents, IsekTeams and IsekNodes may name the mesh in their meshRef. They get a copy of its keys."""
    access: Access | None = None
    """Who may call its agents and teams where these do not say so themselves."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.access) || self.p2p.enabled",
            message="access needs p2p: without it nobody can tell who calls",
            holds=lambda spec: spec.access is None or spec.p2p.enabled,
        ),
    )


class IsekMeshStatus(Status):
    """What the mesh is."""

    etcd_ready_replicas: Annotated[int, Field(ge=0)] = 0
    """Members that answer."""
    etcd_version: ShortText | None = None
    """The etcd that runs: of members that differ the lowest."""
    nodes: Annotated[int, Field(ge=0)] = 0
    """IsekNodes, IsekAgents and IsekTeams of the mesh that have pods of their own."""
    endpoint: ShortText | None = None
    """Where etcd answers inside the cluster."""
    private_network_keys: Annotated[tuple[ShortText, ...], Field(max_length=8)] | None = None
    """Fingerprints of the keys that sidecars accept, the one that they dial with first."""
    relays: Annotated[tuple[Annotated[str, Field(max_length=MAX_ADDRESS)], ...], Field(max_length=72)] = ()
    """The addresses of the mesh's own relays, for `p2p.relays.addresses` of the mesh in another cluster."""
    exposed: ShortText | None = None
    """Where etcd answers other clusters, for `etcd.external.endpoints` of the mesh there."""


class IsekMesh(Resource):
    """The shared ground of agents: discovery through etcd, and who may speak."""

    plural: ClassVar[str] = "isekmeshes"
    short_name: ClassVar[str] = "imesh"
    columns: ClassVar[tuple[Column, ...]] = columns(
        Column("Etcd", "string", '.status.conditions[?(@.type=="EtcdAvailable")].reason'),
        Column("Users", "integer", ".status.nodes"),
        Column("Version", "string", ".status.etcdVersion", priority=1),
        Column("Endpoint", "string", ".status.endpoint", priority=1),
    )

    spec: IsekMeshSpec = IsekMeshSpec()
    """What the mesh is to be."""
    status: IsekMeshStatus = IsekMeshStatus()
    """What the mesh is."""

    @property
    def mesh_id(self) -> str:
        """The mesh's name in its registry."""
        return self.spec.mesh_id or f"{self.namespace}.{self.name}"
