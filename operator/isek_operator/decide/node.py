"""What becomes of an IsekNode."""

from dataclasses import dataclass
from typing import Any

from isek.api import IsekMesh, IsekNode, Resource
from isek.api.workload import DEFAULT_MESH

from isek_operator.decide.conditions import Verdict, resolved_references, verdict_findings
from isek_operator.decide.joining import InTheMaking, because_of_mesh, join, network_key
from isek_operator.decide.outcome import Manifest, Outcome
from isek_operator.decide.problem import Problem
from isek_operator.decide.references import mesh, own_mesh_name
from isek_operator.decide.rollout import Rollout, child
from isek_operator.decide.seating import Seating, seating
from isek_operator.decide.secrets import missing_secrets
from isek_operator.decide.workload import Workload
from isek_operator.decide.world import World
from isek_operator.manifests.deployment import deployment
from isek_operator.manifests.meta import selector_text, workload_name
from isek_operator.manifests.workload import workload_manifests
from isek_operator.settings import OperatorSettings


@dataclass(frozen=True)
class ObservedNode:
    """All that a decision about an IsekNode depends on."""

    node: IsekNode
    mesh_name: str
    mesh: IsekMesh | None
    network_key: str | None
    seating: Seating
    missing_secrets: tuple[Problem, ...]
    deployment: Manifest | None

    def rollout(self, settings: OperatorSettings) -> Rollout:
        """How far its pods are on their way to hosting all that have a place."""
        wished = deployment(self.workload(self.mesh), settings) if self.mesh else None
        return Rollout(self.deployment, wished, selector_text(self.node))

    def workload(self, mesh: IsekMesh) -> Workload:
        """Its pods."""
        return Workload(self.node, self.seating.hosted, mesh, self.network_key)


def gather_node(node: IsekNode, world: World) -> ObservedNode:
    """Look up all that a decision about ``node`` depends on."""
    mesh_name = own_mesh_name(node) or DEFAULT_MESH
    joined = mesh(node.namespace, mesh_name, world)
    return ObservedNode(
        node=node,
        mesh_name=mesh_name,
        mesh=joined,
        network_key=network_key(joined, world),
        seating=seating(node, world),
        missing_secrets=missing_secrets(node, world),
        deployment=child(world.children(node.metadata.uid), "Deployment", workload_name(node)),
    )


def decide_node(node: Resource, world: World, settings: OperatorSettings) -> Outcome:
    """The pods of an IsekNode with all that it hosts."""
    assert isinstance(node, IsekNode)  # noqa: S101  (by whoever dispatches on the kind)
    return judge_node(gather_node(node, world), settings)


def judge_node(observed: ObservedNode, settings: OperatorSettings) -> Outcome:
    """The decision, by what was observed alone."""
    joined = join(observed.mesh_name, observed.node.namespace, observed.mesh, observed.network_key, settings)
    unresolved = [*([joined] if isinstance(joined, Problem) else []), *observed.missing_secrets]
    rollout = observed.rollout(settings)
    wish = companions = None
    if unresolved:
        verdict = Verdict.stuck(unresolved[0])
    elif isinstance(joined, IsekMesh):
        verdict = because_of_mesh(rollout.verdict(), joined)
        wish = workload_manifests(observed.workload(joined), settings)
    else:
        assert isinstance(joined, InTheMaking)  # noqa: S101  (a problem is among the unresolved)
        verdict = joined.verdict
    if isinstance(joined, InTheMaking):
        companions = joined.companions
    return Outcome(
        findings=(*verdict_findings(verdict), resolved_references(unresolved)),
        status=_status(observed, rollout),
        wish=wish,
        companions=companions or (),
    )


def _status(observed: ObservedNode, rollout: Rollout) -> dict[str, Any]:
    node = observed.node
    status: dict[str, Any] = {
        "replicas": rollout.replicas,
        "readyReplicas": rollout.ready_replicas,
        "selector": selector_text(node),
        "agents": len(observed.seating.hosted),
    }
    if observed.mesh:
        status["mesh"] = f"{node.namespace}/{observed.mesh.name}"
    return status
