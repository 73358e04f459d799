"""The members of a team and the agents that are tools: whether they can be asked."""

from collections.abc import Collection
from dataclasses import dataclass

from isek_operator.decide.conditions import holds
from isek_operator.decide.etcd.view import AgentElsewhere
from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.references import (
    HOSTED_KINDS,
    Hosted,
    MeshName,
    PeerReference,
    hosted,
    mesh_name,
    peer_references,
)
from isek_operator.decide.world import World


@dataclass(frozen=True)
class Peer:
    """Somebody who is referred to."""

    reference: PeerReference
    resource: Hosted | None
    """None: nobody of that name and kind is there."""
    namesake: Hosted | None
    """Somebody of that name and of the other kind."""
    mesh: MeshName | None
    """The mesh it is in; None: not known."""
    elsewhere: bool
    """Whether a node of another cluster hosts it."""


def gather_peers(resource: Hosted, world: World) -> tuple[Peer, ...]:
    """Everybody whom ``resource`` asks for help."""
    named = mesh_name(resource, world)
    view = world.etcd(*named) if named else None
    elsewhere = (view and view.elsewhere) or frozenset()
    return tuple(_gather(reference, elsewhere, world) for reference in peer_references(resource))


def _gather(reference: PeerReference, elsewhere: Collection[AgentElsewhere], world: World) -> Peer:
    found = {kind: hosted(kind, reference.namespace, reference.name, world) for kind in HOSTED_KINDS}
    resource = next((found[kind] for kind in reference.kinds if found[kind]), None)
    namesake = next((each for kind, each in found.items() if kind not in reference.kinds and each), None)
    return Peer(
        reference,
        resource,
        namesake,
        mesh_name(resource, world) if resource else None,
        any(AgentElsewhere(kind, reference.namespace, reference.name) in elsewhere for kind in reference.kinds),
    )


def unresolved_peers(peers: tuple[Peer, ...], mesh: MeshName | None) -> tuple[Problem, ...]:
    """Who is in no cluster of the mesh, and who is in another mesh than ``mesh`` and so cannot be reached."""
    problems = []
    for peer in peers:
        if peer.elsewhere:
            continue  # there is one to ask, whatever of that name is in this cluster
        name, field = peer.reference.name, peer.reference.field
        if peer.resource is None:
            what = " or ".join(kind for kind in peer.reference.kinds)
            fix = f"it is an {peer.namesake.kind}: name it so in" if peer.namesake else "create it, or fix"
            message = f"{what} {name!r} does not exist in namespace {peer.reference.namespace!r}; {fix} {field}"
            problems.append(Problem(Reason.AGENT_NOT_FOUND, message))
        elif mesh and peer.mesh and peer.mesh != mesh:
            message = (
                f"{peer.resource.kind} {name!r} ({field}) is in mesh {str(peer.mesh)!r}, not in {str(mesh)!r}; "
                f"set the same meshRef on both"
            )
            problems.append(Problem(Reason.MESH_MISMATCH, message))
    return tuple(problems)


def members_not_ready(peers: tuple[Peer, ...]) -> str | None:
    """What to say about members that are there and not ready; None: all are."""
    names = dict.fromkeys(
        f"{peer.resource.kind} {peer.resource.name!r}"
        for peer in peers
        if peer.resource is not None and not holds(peer.resource, "Ready")
    )
    return f"waiting for {', '.join(names)}; see kubectl describe on each" if names else None
