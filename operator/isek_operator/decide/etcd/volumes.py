"""Volumes never change: an etcd that is to have others is made anew, and those that it has go with it."""

from collections.abc import Iterable
from enum import Enum

from isek.api import IsekMesh

from isek_operator.decide.conditions import Verdict
from isek_operator.decide.outcome import Manifest
from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.manifests.etcd import TLS, etcd_shape
from isek_operator.manifests.stateful_set import SHAPE_ANNOTATION, volume_claim_name


class Volumes(Enum):
    """How the volumes that an etcd has stand to those that are asked for."""

    FITTING = "Fitting"
    """They are those, or there are none yet."""
    KEPT = "Kept"
    """They are others and stay when the etcd goes; a new one would take them over as they are."""
    LEAVING = "Leaving"
    """They are others and stayed until now; their claims are about to be given to the StatefulSet, to go with it."""
    OTHERS = "Others"
    """They are others and go with the StatefulSet."""


def volumes(mesh: IsekMesh, stateful_set: Manifest | None, claims: Iterable[Manifest]) -> Volumes:
    """How they stand.

    Args:
        mesh: as it is asked for.
        stateful_set: as it is.
        claims: the volume claims of the mesh.
    """
    if stateful_set is None or shape(stateful_set) == etcd_shape(mesh):
        return Volumes.FITTING
    if not (shape(stateful_set) or "").startswith(f"{TLS}/"):
        return Volumes.OTHERS  # of an operator from before TLS, or edited: it cannot become what is asked for
    if mesh.spec.etcd.storage.when_deleted == "Retain":
        return Volumes.KEPT
    policy = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    used = {volume_claim_name(mesh, ordinal) for ordinal in range(stateful_set["spec"].get("replicas", 1))}
    owners = [each["metadata"].get("ownerReferences") for each in claims if each["metadata"]["name"] in used]
    return Volumes.OTHERS if policy.get("whenDeleted") == "Delete" and all(owners) else Volumes.LEAVING


def about_volumes(found: Volumes) -> Verdict | None:
    """What to say of an etcd that works; None: nothing."""
    if found is Volumes.KEPT:
        message = (
            "spec.etcd.storage asks for other volumes, and those of the etcd are kept, where a new one would take them "
            "over; set spec.etcd.storage.whenDeleted to Delete to have the etcd made anew, or set the storage back"
        )
        return Verdict.stuck(Problem(Reason.VOLUMES_KEPT, message))
    if found is Volumes.LEAVING:
        message = "the etcd is to have other volumes, and gives up those that it has; nodes register again"
        return Verdict.moving(Reason.RECREATING, message)
    return None


def shape(stateful_set: Manifest) -> str | None:
    """What the etcd was made as."""
    found: str | None = (stateful_set["metadata"].get("annotations") or {}).get(SHAPE_ANNOTATION)
    return found


def with_the_volumes_of(stateful_set: Manifest, mesh: IsekMesh) -> IsekMesh:
    """The mesh, asking for the volumes that its etcd has."""
    (claim,) = stateful_set["spec"]["volumeClaimTemplates"]
    has = {
        "size": claim["spec"]["resources"]["requests"]["storage"],
        "class_name": claim["spec"].get("storageClassName"),
    }
    etcd = mesh.spec.etcd.model_copy(update={"storage": mesh.spec.etcd.storage.model_copy(update=has)})
    return mesh.model_copy(update={"spec": mesh.spec.model_copy(update={"etcd": etcd})})
