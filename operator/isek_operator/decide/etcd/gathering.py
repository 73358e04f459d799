"""What the cluster's objects say about the members of an etcd."""

from collections.abc import Iterator, Mapping
from typing import Any

from isek.api import IsekMesh
from isek.registry.record import nodes_prefix

from isek_operator.decide.etcd.membership import Membership
from isek_operator.decide.etcd.situation import Pod, Situation
from isek_operator.decide.etcd.view import EtcdAccess
from isek_operator.decide.outcome import Manifest
from isek_operator.decide.upgrade import revision, upgrading_to
from isek_operator.decide.world import World
from isek_operator.etcd_guard import DATA_LOST
from isek_operator.manifests.etcd import (
    CLIENT_PORT,
    etcd_endpoints,
    etcd_name,
    etcd_peer_url,
    etcd_selector,
    etcd_service_host,
)
from isek_operator.manifests.etcd_config import NODE_USER, QUOTA_BYTES
from isek_operator.manifests.secret import etcd_client_secret_name, etcd_root_secret_name
from isek_operator.manifests.stateful_set import CLUSTER_ANNOTATION, TRUST_ANNOTATION, USER_PART
from isek_operator.settings import OperatorSettings

MOST_MEMBERS = 5
REVISION_LABEL = "controller-revision-hash"
"""On each pod of a StatefulSet: the template that it was made by."""
GUARD = "guard"
"""The init container that keeps a member without its data from starting."""


def gather_situation(
    mesh: IsekMesh, world: World, stateful_set: Manifest | None, membership: Membership, settings: OperatorSettings
) -> Situation:
    """All that the next step depends on."""
    return Situation(
        name=etcd_name(mesh),
        see=f"see kubectl describe pods -l {_selector_text(mesh)}",
        wanted=mesh.spec.etcd.replicas,
        membership=membership,
        peer_urls=tuple(etcd_peer_url(mesh, ordinal) for ordinal in range(MOST_MEMBERS)),
        view=world.etcd(mesh.namespace, mesh.name),
        pods={ordinal: _pod(pod, stateful_set) for ordinal, pod in _pods(mesh, world)},
        prefix=registry_prefix(mesh),
        quota_bytes=QUOTA_BYTES,
        may_upgrade=stateful_set is not None and upgrading_to(stateful_set) == revision(settings),
        unavailable_seconds=_unavailable_seconds(mesh, world),
        lost_seconds=settings.etcd_lost_seconds,
    )


def registry_prefix(mesh: IsekMesh) -> str:
    """The keys of the mesh's nodes."""
    return f"/isek/{mesh.mesh_id}/"


def managed_access(mesh: IsekMesh, world: World, settings: OperatorSettings) -> EtcdAccess:
    """How the operator reaches the members that it looks after: by the addresses of their pods."""
    addresses = ((pod["metadata"]["name"], (pod.get("status") or {}).get("podIP")) for _, pod in _pods(mesh, world))
    return EtcdAccess(
        endpoints=tuple((name, _endpoint(address)) for name, address in addresses if address),
        secret=etcd_root_secret_name(mesh),
        server_name=etcd_service_host(mesh),
        broken_prefix=f"{registry_prefix(mesh)}broken/",
        others_prefix=nodes_prefix(mesh.mesh_id) if mesh.spec.etcd.expose else "",
        cluster=settings.cluster_name,
        role=NODE_USER,
    )


def external_access(mesh: IsekMesh, settings: OperatorSettings) -> EtcdAccess:
    """How the operator reaches an etcd that somebody else runs: as nodes do."""
    return EtcdAccess(
        endpoints=tuple((endpoint, endpoint) for endpoint in etcd_endpoints(mesh)),
        secret=etcd_client_secret_name(mesh),
        key=registry_prefix(mesh),
        broken_prefix=f"{registry_prefix(mesh)}broken/",
        others_prefix=nodes_prefix(mesh.mesh_id),
        cluster=settings.cluster_name,
    )


def _selector_text(mesh: IsekMesh) -> str:
    return ",".join(f"{key}={value}" for key, value in etcd_selector(mesh).items())


def _pods(mesh: IsekMesh, world: World) -> Iterator[tuple[int, Manifest]]:
    ((label, value),) = etcd_selector(mesh).items()
    for pod in world.labelled("Pod", mesh.namespace, label, value):
        name, _, ordinal = pod["metadata"]["name"].rpartition("-")
        if name == etcd_name(mesh) and ordinal.isdigit():
            yield int(ordinal), pod


def _endpoint(address: str) -> str:
    return f"[{address}]:{CLIENT_PORT}" if ":" in address else f"{address}:{CLIENT_PORT}"


def _unavailable_seconds(mesh: IsekMesh, world: World) -> float:
    for each in mesh.status.conditions:
        if each.type == "EtcdAvailable" and each.status == "False":
            return max((world.now() - each.last_transition_time).total_seconds(), 0.0)
    return 0.0


def _pod(pod: Manifest, stateful_set: Manifest | None) -> Pod:
    metadata, status = pod["metadata"], pod.get("status") or {}
    conditions = {each["type"]: each for each in status.get("conditions") or ()}
    return Pod(
        uid=metadata["uid"],
        ready=conditions.get("Ready", {}).get("status") == "True",
        ending="deletionTimestamp" in metadata,
        outdated=_outdated(metadata, stateful_set),
        upgrade=stateful_set is not None
        and _is_made_for_the_same(metadata, stateful_set["spec"]["template"]["metadata"]),
        token=(metadata.get("annotations") or {}).get(CLUSTER_ANNOTATION, ""),
        data_lost=any(
            each["name"] == GUARD and _exit_code(each) == DATA_LOST
            for each in status.get("initContainerStatuses") or ()
        ),
        trouble=_trouble(status, conditions),
    )


def _is_made_for_the_same(metadata: Mapping[str, Any], template: Mapping[str, Any]) -> bool:
    """Whether a pod differs from the template in nothing but what follows from the operator's version."""
    has, latest = metadata.get("annotations") or {}, template.get("annotations") or {}
    return all(has.get(name) in {None, latest.get(name)} for name in (USER_PART, TRUST_ANNOTATION, CLUSTER_ANNOTATION))


def _outdated(metadata: Mapping[str, Any], stateful_set: Manifest | None) -> bool:
    status = (stateful_set or {}).get("status") or {}
    if stateful_set is None or (status.get("observedGeneration") or 0) < stateful_set["metadata"].get("generation", 0):
        return False  # nobody can tell yet
    revision, latest = (metadata.get("labels") or {}).get(REVISION_LABEL), status.get("updateRevision")
    return bool(revision and latest and revision != latest)


def _exit_code(container: Mapping[str, Any]) -> int | None:
    """How it ended, if it does not run now and is to run again."""
    state = container.get("state") or {}
    ended = state if "terminated" in state else container.get("lastState") if "waiting" in state else None
    code: int | None = ((ended or {}).get("terminated") or {}).get("exitCode")
    return code


def _trouble(status: Mapping[str, Any], conditions: Mapping[str, Any]) -> str:
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return str(scheduled.get("message") or scheduled.get("reason") or "it is on no machine")
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        state = container.get("state") or {}
        ended = (state.get("terminated") or (container.get("lastState") or {}).get("terminated") or {}).get("message")
        waiting = state.get("waiting") or {}
        if waiting.get("reason") not in {None, "PodInitializing", "ContainerCreating"}:
            return " ".join(str(ended or waiting.get("message") or waiting["reason"]).split())
    return ""
