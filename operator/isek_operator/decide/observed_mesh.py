"""What a decision about an IsekMesh looks at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from isek.api import IsekMesh

from isek_operator.decide.etcd.certificates import ObservedCertificates, gather_certificates
from isek_operator.decide.etcd.gathering import external_access, gather_situation, managed_access
from isek_operator.decide.etcd.membership import Membership
from isek_operator.decide.etcd.situation import Situation
from isek_operator.decide.etcd.view import EtcdAccess
from isek_operator.decide.etcd.volumes import Volumes, shape, volumes, with_the_volumes_of
from isek_operator.decide.grants import refusal
from isek_operator.decide.missing import missing_secrets
from isek_operator.decide.network_key import accepted_network_keys, misshapen_network_key
from isek_operator.decide.network_key_rotation import Rotation, decide_rotation, gather_rotation
from isek_operator.decide.outcome import Manifest
from isek_operator.decide.problem import Problem
from isek_operator.decide.references import MeshName, mesh_users
from isek_operator.decide.relays import Relays, gather_relays
from isek_operator.decide.rollout import child
from isek_operator.decide.world import World
from isek_operator.manifests.etcd import etcd_name, etcd_outside_name, etcd_selector, etcd_shape
from isek_operator.manifests.stateful_set import TRUST_ANNOTATION
from isek_operator.settings import OperatorSettings

LEFT_BEHIND = ("Pod", "PersistentVolumeClaim")
"""What a StatefulSet leaves behind for a while."""


@dataclass(frozen=True)
class ObservedMesh:
    """All that a decision about an IsekMesh depends on."""

    mesh: IsekMesh
    """As it is asked for; with the volumes that its etcd has as long as they cannot be others."""
    volumes: Volumes
    users: int
    """IsekNodes, IsekAgents and IsekTeams that have pods of their own in it."""
    spec_managers: frozenset[str]
    stateful_set: Manifest | None
    situation: Situation
    access: EtcdAccess
    missing_secrets: tuple[Problem, ...]
    """What is wrong with the Secrets that users give."""
    network_keys: tuple[str, ...]
    """Fingerprints of the keys of the private network."""
    rotation: Rotation
    certificates: ObservedCertificates
    upgrades: Mapping[str, int]
    """How many workloads are on their way to each version of the operator."""
    relays: Relays
    outside: Manifest | None
    """The Service through which other clusters reach the etcd."""
    remains: tuple[str, ...]
    """Pods and volume claims of a StatefulSet that is no more, as far as they are still there."""

    @property
    def misshapen(self) -> bool:
        """Whether the StatefulSet is there and was made for another specification that it cannot be changed to."""
        return self.volumes is Volumes.OTHERS

    @property
    def ready_members(self) -> int:
        """Members that answer, as the kubelets see it."""
        return self.status.get("readyReplicas") or 0

    @property
    def status(self) -> dict[str, Any]:
        """What the StatefulSet says of itself."""
        return (self.stateful_set or {}).get("status") or {}

    @property
    def image(self) -> str | None:
        """The image that the members have."""
        containers = self.stateful_set["spec"]["template"]["spec"]["containers"] if self.stateful_set else ()
        return next((str(each["image"]) for each in containers if each["name"] == "etcd"), None)

    @property
    def trust(self) -> str | None:
        """What the pods were started with: while a Secret is missing, they stay as they are."""
        template = self.stateful_set["spec"]["template"]["metadata"] if self.stateful_set else {}
        found: str | None = (template.get("annotations") or {}).get(TRUST_ANNOTATION)
        return found


def gather_mesh(mesh: IsekMesh, world: World, settings: OperatorSettings) -> ObservedMesh:
    """Look up all that a decision about ``mesh`` depends on."""
    children = tuple(world.children(mesh.metadata.uid))
    stateful_set = child(children, "StatefulSet", etcd_name(mesh))
    stand = volumes(mesh, stateful_set, _labelled(mesh, world, "PersistentVolumeClaim"))
    if stateful_set is not None and stand in {Volumes.KEPT, Volumes.LEAVING}:
        mesh = with_the_volumes_of(stateful_set, mesh)
    membership = _membership(mesh, world, child(children, "ConfigMap", etcd_name(mesh)), stateful_set)
    return ObservedMesh(
        mesh=mesh,
        volumes=stand,
        users=sum(1 for user in mesh_users(MeshName.of(mesh), world) if not refusal(mesh, user.namespace, world)),
        spec_managers=world.spec_managers("IsekMesh", mesh.namespace, mesh.name),
        stateful_set=stateful_set,
        situation=gather_situation(mesh, world, stateful_set, membership, settings),
        access=external_access(mesh, settings) if mesh.spec.etcd.external else managed_access(mesh, world, settings),
        missing_secrets=(*missing_secrets(mesh, world), *misshapen_network_key(mesh, world)),
        network_keys=accepted_network_keys(mesh, world),
        rotation=decide_rotation(gather_rotation(mesh, world, settings)),
        certificates=gather_certificates(mesh, world),
        upgrades=world.upgrades(),
        relays=gather_relays(mesh, world, settings),
        outside=child(children, "Service", etcd_outside_name(mesh)),
        remains=() if stateful_set else tuple(_remains(mesh, world)),
    )


def _membership(mesh: IsekMesh, world: World, config_map: Manifest | None, stateful_set: Manifest | None) -> Membership:
    """Who has been written down; an empty cluster takes the place of one whose StatefulSet goes, or went with all."""
    second = Membership.of(stateful_set)
    known = Membership.of(config_map) or second or Membership.first(f"{mesh.metadata.uid}-1")
    is_other = stateful_set is not None and shape(stateful_set) != etcd_shape(mesh)
    goes = is_other and second is not None and second.token == known.token
    went = stateful_set is None and not known.untouched and not any(_labelled(mesh, world, *LEFT_BEHIND))
    return known.successor() if goes or went else known


def _remains(mesh: IsekMesh, world: World) -> Iterable[str]:
    for each in _labelled(mesh, world, *LEFT_BEHIND):
        metadata = each["metadata"]
        # one that nobody owns any more (kubectl delete --cascade=orphan) is taken over by the new StatefulSet
        if metadata.get("deletionTimestamp") or metadata.get("ownerReferences"):
            yield f"{each['kind']} {metadata['name']}"


def _labelled(mesh: IsekMesh, world: World, *kinds: str) -> Iterable[Manifest]:
    """The members' objects of these kinds."""
    ((label, value),) = etcd_selector(mesh).items()
    for kind in kinds:
        yield from world.labelled(kind, mesh.namespace, label, value)
