"""The mesh that a resource with pods of its own joins."""

from dataclasses import dataclass

from isek.api import IsekMesh
from isek.api.workload import DEFAULT_MESH

from isek_operator.decide.conditions import Verdict, holds
from isek_operator.decide.outcome import Manifest
from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.manifests.isek_mesh import default_mesh
from isek_operator.settings import OperatorSettings


@dataclass(frozen=True)
class InTheMaking:
    """The default mesh is not there yet. What hangs on it waits: only a mesh that exists has a key of its own."""

    companion: Manifest

    @property
    def verdict(self) -> Verdict:
        """What to say meanwhile."""
        return Verdict.moving(Reason.MESH_NOT_READY, f"mesh {DEFAULT_MESH!r} is being made")


def join(
    name: str, namespace: str, mesh: IsekMesh | None, settings: OperatorSettings
) -> IsekMesh | InTheMaking | Problem:
    """The mesh called ``name``, where it was found; the default one is made where it was not."""
    if mesh is not None:
        return mesh
    if name == DEFAULT_MESH:
        return InTheMaking(default_mesh(namespace, settings))
    message = f"IsekMesh {name!r} does not exist in namespace {namespace!r}; create it, or fix spec.meshRef"
    return Problem(Reason.MESH_NOT_FOUND, message)


def because_of_mesh(verdict: Verdict, mesh: IsekMesh) -> Verdict:
    """``verdict``, or that the pods cannot become ready yet: they register with etcd first."""
    if verdict.reason is not Reason.ROLLING_OUT or holds(mesh, "EtcdAvailable"):
        return verdict
    message = f"waiting for the etcd of mesh {mesh.name!r}; see kubectl describe isekmesh {mesh.name}"
    return Verdict.moving(Reason.MESH_NOT_READY, message)
