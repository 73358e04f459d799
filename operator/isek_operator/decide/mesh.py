"""What becomes of an IsekMesh."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from isek.api import IsekMesh, Resource

from isek_operator.decide.conditions import Verdict, resolved_references, verdict_findings
from isek_operator.decide.etcd.certificates import (
    Credentials,
    ObservedCertificates,
    decide_certificates,
    gather_certificates,
)
from isek_operator.decide.etcd.membership import Membership
from isek_operator.decide.grants import refusal
from isek_operator.decide.outcome import Doomed, Finding, Manifest, Outcome, OwnFate
from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.references import MeshName, mesh_users
from isek_operator.decide.rollout import child
from isek_operator.decide.secrets import missing_secrets
from isek_operator.decide.world import World
from isek_operator.manifests.etcd import etcd_endpoints, etcd_name, etcd_selector, etcd_shape
from isek_operator.manifests.etcd_config import etcd_config_map
from isek_operator.manifests.isek_mesh import MADE_BY_DEFAULT
from isek_operator.manifests.meta import MANAGER
from isek_operator.manifests.network_policy import etcd_network_policy
from isek_operator.manifests.pod_disruption_budget import etcd_disruption_budget
from isek_operator.manifests.secret import private_network_secret
from isek_operator.manifests.service import etcd_client_service, etcd_peer_service
from isek_operator.manifests.service_account import etcd_service_account
from isek_operator.manifests.stateful_set import SHAPE_ANNOTATION, TRUST_ANNOTATION, etcd_stateful_set
from isek_operator.settings import OperatorSettings

LOOK_FOR_REMAINS_SECONDS = 1.0


@dataclass(frozen=True)
class ObservedMesh:
    """All that a decision about an IsekMesh depends on."""

    mesh: IsekMesh
    users: int
    """IsekNodes, IsekAgents and IsekTeams that have pods of their own in it."""
    spec_managers: frozenset[str]
    stateful_set: Manifest | None
    membership: Membership
    missing_secrets: tuple[Problem, ...]
    certificates: ObservedCertificates
    remains: tuple[str, ...]
    """Pods and volume claims of a StatefulSet that is no more, as far as they are still there."""

    @property
    def misshapen(self) -> bool:
        """Whether the StatefulSet is there and was made for another specification that it cannot be changed to."""
        if self.stateful_set is None:
            return False
        annotations = self.stateful_set["metadata"].get("annotations") or {}
        return annotations.get(SHAPE_ANNOTATION) != etcd_shape(self.mesh)

    @property
    def ready_members(self) -> int:
        """Members that answer."""
        return _status(self.stateful_set).get("readyReplicas") or 0


def gather_mesh(mesh: IsekMesh, world: World) -> ObservedMesh:
    """Look up all that a decision about ``mesh`` depends on."""
    children = tuple(world.children(mesh.metadata.uid))
    stateful_set = child(children, "StatefulSet", etcd_name(mesh))
    known = Membership.of(child(children, "ConfigMap", etcd_name(mesh)))
    return ObservedMesh(
        mesh=mesh,
        users=sum(1 for user in mesh_users(MeshName.of(mesh), world) if not refusal(mesh, user.namespace, world)),
        spec_managers=world.spec_managers("IsekMesh", mesh.namespace, mesh.name),
        stateful_set=stateful_set,
        membership=known or Membership.first(f"{mesh.metadata.uid}-1"),
        missing_secrets=missing_secrets(mesh, world),
        certificates=gather_certificates(mesh, world),
        remains=() if stateful_set else tuple(_remains(mesh, world)),
    )


def decide_mesh(mesh: Resource, world: World, settings: OperatorSettings) -> Outcome:
    """The etcd of a mesh, and the key of its private network."""
    assert isinstance(mesh, IsekMesh)  # noqa: S101  (by whoever dispatches on the kind)
    return judge_mesh(gather_mesh(mesh, world), settings)


def judge_mesh(observed: ObservedMesh, settings: OperatorSettings) -> Outcome:
    """The decision, by what was observed alone."""
    mesh = observed.mesh
    managed = mesh.spec.etcd.external is None
    recreating = managed and (observed.misshapen or bool(observed.remains))
    credentials = decide_certificates(observed.certificates) if managed else Credentials()
    problems = [*observed.missing_secrets, *([credentials.problem] if credentials.problem else [])]
    network_key = (private_network_secret(mesh),) if mesh.spec.p2p.enabled else ()
    return Outcome(
        findings=_findings(observed, problems, recreating=recreating),
        status={
            "etcdReadyReplicas": observed.ready_members,
            "pods": f"{observed.ready_members}/{mesh.spec.etcd.replicas}",
            "nodes": observed.users,
            "endpoint": etcd_endpoints(mesh)[0],
        },
        wish=tuple(_wish(observed, credentials, settings, recreating=recreating)) if managed else (),
        secrets=(*network_key, *credentials.secrets),
        doomed=(_doomed(observed.stateful_set),) if observed.misshapen and observed.stateful_set else (),
        fate=_fate(observed),
        certificates=credentials.expiries,
        look_again_after=LOOK_FOR_REMAINS_SECONDS if recreating else credentials.look_again_after,
    )


def _wish(
    observed: ObservedMesh, credentials: Credentials, settings: OperatorSettings, *, recreating: bool
) -> Iterable[Manifest]:
    mesh, membership = observed.mesh, observed.membership
    yield etcd_service_account(mesh)
    yield from (etcd_peer_service(mesh), etcd_client_service(mesh))
    yield from (etcd_disruption_budget(mesh), etcd_network_policy(mesh, settings))
    trust = credentials.trust or _trust(observed.stateful_set)
    if trust and not recreating:
        yield etcd_config_map(mesh, membership)
        yield etcd_stateful_set(mesh, membership, settings, mesh.spec.etcd.image, trust)


def _trust(stateful_set: Manifest | None) -> str | None:
    """What the pods were started with: while a Secret is missing, they stay as they are."""
    template = stateful_set["spec"]["template"]["metadata"] if stateful_set else {}
    found: str | None = (template.get("annotations") or {}).get(TRUST_ANNOTATION)
    return found


def _fate(observed: ObservedMesh) -> OwnFate:
    if MADE_BY_DEFAULT not in observed.mesh.metadata.labels:
        return OwnFate.KEEP
    if observed.spec_managers - {MANAGER}:
        return OwnFate.ADOPT
    return OwnFate.KEEP if observed.users else OwnFate.DELETE


def _findings(observed: ObservedMesh, problems: list[Problem], *, recreating: bool) -> tuple[Finding, ...]:
    verdict = _recreating(observed) if recreating else _members(observed)
    if problems:
        verdict = Verdict.stuck(problems[0])
    available = _etcd_available(observed, recreating=recreating)
    return (*verdict_findings(verdict), available, resolved_references(problems))


def _etcd_available(observed: ObservedMesh, *, recreating: bool) -> Finding:
    if recreating:
        verdict = _recreating(observed)
        return Finding("EtcdAvailable", False, verdict.reason, verdict.message)
    members = observed.mesh.spec.etcd.replicas
    quorum = members // 2 + 1
    available = observed.ready_members >= quorum
    reason = Reason.QUORUM_AVAILABLE if available else Reason.QUORUM_MISSING
    message = f"{observed.ready_members} of {members} etcd members answer, {quorum} are needed"
    return Finding("EtcdAvailable", available, reason, message if available else f"{message}; {_see(observed)}")


def _recreating(observed: ObservedMesh) -> Verdict:
    waiting = f"waiting for {', '.join(observed.remains)} to go" if observed.remains else "the former one goes first"
    message = f"the etcd of mesh {observed.mesh.name!r} is made anew, empty; nodes register again: {waiting}"
    return Verdict.moving(Reason.RECREATING, message)


def _members(observed: ObservedMesh) -> Verdict:
    """Ready asks for all members: EtcdAvailable says whether a mesh with fewer still works."""
    members, ready = observed.mesh.spec.etcd.replicas, observed.ready_members
    answering = f"{min(ready, members)} of {members} etcd members answer"
    if _rolled_out(observed.stateful_set, observed.mesh):
        if ready >= members:
            return Verdict.done(Reason.ALL_REPLICAS_READY, answering)
        return Verdict.moving(Reason.REPLICAS_NOT_READY, f"{answering}; {_see(observed)}")
    return Verdict.moving(Reason.ROLLING_OUT, f"{answering}; members with the latest specification are on their way")


def _rolled_out(stateful_set: Manifest | None, mesh: IsekMesh) -> bool:
    if stateful_set is None:
        return False
    containers = stateful_set["spec"]["template"]["spec"]["containers"]
    status = _status(stateful_set)
    return (
        any(container.get("image") == mesh.spec.etcd.image for container in containers)
        and (status.get("observedGeneration") or 0) >= stateful_set["metadata"].get("generation", 0)
        and (status.get("updatedReplicas") or 0) >= mesh.spec.etcd.replicas
    )


def _see(observed: ObservedMesh) -> str:
    selector = ",".join(f"{key}={value}" for key, value in etcd_selector(observed.mesh).items())
    return f"see kubectl describe pods -l {selector}"


def _status(stateful_set: Manifest | None) -> dict[str, Any]:
    return (stateful_set or {}).get("status") or {}


def _doomed(stateful_set: Manifest) -> Doomed:
    metadata = stateful_set["metadata"]
    return Doomed("StatefulSet", metadata["name"], metadata["uid"])


def _remains(mesh: IsekMesh, world: World) -> Iterable[str]:
    ((label, value),) = etcd_selector(mesh).items()
    for kind in ("Pod", "PersistentVolumeClaim"):
        for each in world.labelled(kind, mesh.namespace, label, value):
            metadata = each["metadata"]
            # one that nobody owns any more (kubectl delete --cascade=orphan) is taken over by the new StatefulSet
            if metadata.get("deletionTimestamp") or metadata.get("ownerReferences"):
                yield f"{kind} {metadata['name']}"
