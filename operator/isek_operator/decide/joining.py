"""The mesh that a resource with pods of its own joins, and what lets it in."""

from dataclasses import dataclass

from isek.api import IsekMesh
from isek.api.workload import DEFAULT_MESH

from isek_operator.decide.conditions import Verdict, holds
from isek_operator.decide.grants import refusal
from isek_operator.decide.network_key import made_network_key, network_key_source
from isek_operator.decide.outcome import GeneratedSecret, Manifest
from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.references import MeshName, User, mesh, own_mesh_name
from isek_operator.decide.rollout import child
from isek_operator.decide.world import World
from isek_operator.manifests.isek_mesh import default_mesh
from isek_operator.manifests.mesh_copy import Source, mesh_copy, mesh_copy_name
from isek_operator.manifests.secret import (
    CA_CERTIFICATE,
    CERTIFICATE,
    CERTIFICATE_KEYS,
    etcd_client_secret_name,
)
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


@dataclass(frozen=True)
class Joined:
    """A mesh that lets a resource in."""

    mesh: IsekMesh
    network_key: str | None
    """The uid of the Secret with the key that the operator made of its private network; None: there is none."""
    copies: tuple[GeneratedSecret, ...]
    """What the pods need of a mesh that lives in another namespace."""


@dataclass(frozen=True)
class ObservedJoining:
    """All that joining a mesh depends on."""

    user: User
    name: MeshName
    mesh: IsekMesh | None
    refusal: Problem | None
    """Why the mesh does not let the user in."""
    network_key: Source | None
    """The Secret with the key of the mesh's private network; None: it is not there, or of no use."""
    network_key_uid: str | None
    """Of that Secret, where the operator made it."""
    etcd_client: Source | None
    """The Secret with the certificate that nodes show to etcd; None: it is not there."""
    copy: Manifest | None
    """The user's copy of both, where the mesh is of another namespace."""


Joining = Joined | InTheMaking | Problem


def gather_joining(user: User, world: World) -> ObservedJoining:
    """Look up the mesh that ``user``, which has pods of its own, names or means."""
    name = own_mesh_name(user)
    assert name is not None  # noqa: S101  (it names no IsekNode)
    found = mesh(*name, world)
    made = made_network_key(found, world) if found else None
    return ObservedJoining(
        user=user,
        name=name,
        mesh=found,
        refusal=refusal(found, user.namespace, world) if found else None,
        network_key=network_key_source(found, world) if found else None,
        network_key_uid=str(made["metadata"]["uid"]) if made else None,
        etcd_client=_etcd_client(found, world) if found else None,
        copy=child(world.children(user.metadata.uid), "Secret", mesh_copy_name(user)),
    )


def join(observed: ObservedJoining, settings: OperatorSettings) -> Joining:
    """The mesh, where it was found and lets the user in; the default one is made where it was not."""
    found = observed.mesh
    if found is None:
        return _missing(observed, settings)
    if observed.refusal:
        return observed.refusal
    if found.spec.p2p.enabled and observed.network_key is None:
        return InTheMaking(f"waiting for the key of the private network of mesh {found.name!r}; {_see(found)}")
    if observed.etcd_client is None:
        message = (
            f"waiting for Secret {etcd_client_secret_name(found)!r}, the nodes' certificate of mesh {found.name!r}"
        )
        return InTheMaking(f"{message}; {_see(found)}")
    return Joined(found, observed.network_key_uid, _copies(observed, observed.etcd_client))


def _copies(observed: ObservedJoining, etcd_client: Source) -> tuple[GeneratedSecret, ...]:
    """A copy of what pods mount of the mesh, in the user's namespace where that is another."""
    if observed.name.namespace == observed.user.namespace:
        return ()
    sources = [observed.network_key, etcd_client] if observed.network_key else [etcd_client]
    return (mesh_copy(observed.user, sources, observed.copy),)


def _etcd_client(found: IsekMesh, world: World) -> Source | None:
    name = etcd_client_secret_name(found)
    if found.spec.etcd.external is None:
        secret = child(world.children(found.metadata.uid), "Secret", name)
        return Source.of(secret, CERTIFICATE_KEYS) if secret else None
    data = world.secret(found.namespace, name)
    if data is None:
        return None
    return Source(found.namespace, name, str(data.get(CERTIFICATE)) + str(data.get(CA_CERTIFICATE)), CERTIFICATE_KEYS)


def is_refusal(joining: Joining) -> bool:
    """Whether the mesh does not let the user in, so that no pods of it may go on in there."""
    return isinstance(joining, Problem) and joining.reason is Reason.MESH_NOT_ALLOWED


def _missing(observed: ObservedJoining, settings: OperatorSettings) -> InTheMaking | Problem:
    namespace, name = observed.name
    if name == DEFAULT_MESH and namespace == observed.user.namespace:
        return InTheMaking(f"mesh {DEFAULT_MESH!r} is being made", (default_mesh(namespace, settings),))
    message = f"IsekMesh {name!r} does not exist in namespace {namespace!r}; create it, or fix spec.meshRef"
    return Problem(Reason.MESH_NOT_FOUND, message)


def because_of_mesh(verdict: Verdict, mesh: IsekMesh) -> Verdict:
    """``verdict``, or that the pods cannot become ready yet: they register with etcd first."""
    if verdict.reason is not Reason.ROLLING_OUT or holds(mesh, "EtcdAvailable"):
        return verdict
    message = f"waiting for the etcd of mesh {mesh.name!r}; {_see(mesh)}"
    return Verdict.moving(Reason.MESH_NOT_READY, message)


def _see(mesh: IsekMesh) -> str:
    return f"see kubectl describe isekmesh -n {mesh.namespace} {mesh.name}"
