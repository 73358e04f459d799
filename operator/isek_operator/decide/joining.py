"""The mesh that a resource with pods of its own joins, and the key that lets it in."""

from dataclasses import dataclass

from isek.api import IsekMesh
from isek.api.workload import DEFAULT_MESH

from isek_operator.decide.conditions import Verdict, holds
from isek_operator.decide.outcome import Manifest
from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.rollout import child
from isek_operator.decide.world import World
from isek_operator.manifests.isek_mesh import default_mesh
from isek_operator.manifests.secret import private_network_secret_name
from isek_operator.settings import OperatorSettings


@dataclass(frozen=True)
class InTheMaking:
    """The default mesh, or the key of a mesh, is not there yet. What hangs on it waits; pods that run go on."""

    message: str
    companions: tuple[Manifest, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """What to say meanwhile."""
        return Verdict.moving(Reason.MESH_NOT_READY, self.message)


def network_key(mesh: IsekMesh | None, world: World) -> str | None:
    """The uid of the Secret with the key of ``mesh``'s private network; None: it is not there, or not the mesh's."""
    if mesh is None:
        return None
    secret = child(world.children(mesh.metadata.uid), "Secret", private_network_secret_name(mesh))
    return str(secret["metadata"]["uid"]) if secret else None


def join(
    name: str, namespace: str, mesh: IsekMesh | None, key: str | None, settings: OperatorSettings
) -> IsekMesh | InTheMaking | Problem:
    """The mesh called ``name``, where it was found with its ``key``; the default one is made where it was not."""
    if mesh is not None and mesh.spec.p2p.enabled and key is None:
        message = f"waiting for the key of the private network of mesh {name!r}; see kubectl describe isekmesh {name}"
        return InTheMaking(message)
    if mesh is not None:
        return mesh
    if name == DEFAULT_MESH:
        return InTheMaking(f"mesh {DEFAULT_MESH!r} is being made", (default_mesh(namespace, settings),))
    message = f"IsekMesh {name!r} does not exist in namespace {namespace!r}; create it, or fix spec.meshRef"
    return Problem(Reason.MESH_NOT_FOUND, message)


def because_of_mesh(verdict: Verdict, mesh: IsekMesh) -> Verdict:
    """``verdict``, or that the pods cannot become ready yet: they register with etcd first."""
    if verdict.reason is not Reason.ROLLING_OUT or holds(mesh, "EtcdAvailable"):
        return verdict
    message = f"waiting for the etcd of mesh {mesh.name!r}; see kubectl describe isekmesh {mesh.name}"
    return Verdict.moving(Reason.MESH_NOT_READY, message)
