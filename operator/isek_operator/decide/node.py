"""What becomes of an IsekNode."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isek.api import IsekNode, Resource

from isek_operator.decide.code import CodeDigests, code_digests
from isek_operator.decide.conditions import Verdict, resolved_references, verdict_findings
from isek_operator.decide.destinations import Destination, destinations
from isek_operator.decide.joining import (
    InTheMaking,
    Joined,
    Joining,
    ObservedJoining,
    because_of_mesh,
    gather_joining,
    is_refusal,
    join,
)
from isek_operator.decide.missing import missing_secrets
from isek_operator.decide.outcome import Manifest, Outcome
from isek_operator.decide.problem import Problem
from isek_operator.decide.rollout import Rollout, child
from isek_operator.decide.seating import Seating, seating
from isek_operator.decide.workload import Workload
from isek_operator.decide.world import World
from isek_operator.manifests.meta import selector_text, workload_name
from isek_operator.manifests.workload import workload_manifests
from isek_operator.settings import OperatorSettings


@dataclass(frozen=True)
class ObservedNode:
    """All that a decision about an IsekNode depends on."""

    node: IsekNode
    joining: ObservedJoining
    seating: Seating
    missing_secrets: tuple[Problem, ...]
    destinations: frozenset[Destination]
    """What those it hosts have to reach."""
    code: CodeDigests
    deployment: Manifest | None
    upgrades: Mapping[str, int]
    """How many Deployments are on their way to each version of the operator."""

    def rollout(self, wished: Manifest | None, settings: OperatorSettings) -> Rollout:
        """How far its pods are on their way to hosting all that have a place."""
        return Rollout.of(self.deployment, wished, selector_text(self.node), self.upgrades, settings)

    def workload(self, joined: Joined) -> Workload:
        """Its pods."""
        return Workload(self.node, self.seating.hosted, joined.mesh, joined.network_key, self.destinations, self.code)


def gather_node(node: IsekNode, world: World) -> ObservedNode:
    """Look up all that a decision about ``node`` depends on."""
    seats = seating(node, world)
    return ObservedNode(
        node=node,
        joining=gather_joining(node, world),
        seating=seats,
        missing_secrets=missing_secrets(node, world),
        destinations=destinations((node, *seats.hosted), world),
        code=code_digests(seats.hosted, world),
        deployment=child(world.children(node.metadata.uid), "Deployment", workload_name(node)),
        upgrades=world.upgrades(),
    )


def decide_node(node: Resource, world: World, settings: OperatorSettings) -> Outcome:
    """The pods of an IsekNode with all that it hosts."""
    assert isinstance(node, IsekNode)  # noqa: S101  (by whoever dispatches on the kind)
    return judge_node(gather_node(node, world), settings)


def judge_node(observed: ObservedNode, settings: OperatorSettings) -> Outcome:
    """The decision, by what was observed alone."""
    joined = join(observed.joining, settings)
    unresolved = [*([joined] if isinstance(joined, Problem) else []), *observed.missing_secrets]
    made = workload_manifests(observed.workload(joined), settings) if isinstance(joined, Joined) else ()
    rollout = observed.rollout(child(made, "Deployment", workload_name(observed.node)), settings)
    findings = (*verdict_findings(_verdict(joined, rollout, unresolved)), resolved_references(unresolved))
    status = _status(observed, rollout)
    if isinstance(joined, InTheMaking):
        return Outcome(findings, status, companions=joined.companions)
    if isinstance(joined, Joined) and not unresolved:
        wish, upgrade = rollout.wish(made), rollout.turn.upgrade
        return Outcome(findings, status, wish=wish, secrets=joined.copies, upgrade=upgrade)
    return Outcome(findings, status, wish=() if is_refusal(joined) else None)


def _verdict(joined: Joining, rollout: Rollout, unresolved: list[Problem]) -> Verdict:
    if unresolved:
        return Verdict.stuck(unresolved[0])
    if isinstance(joined, Joined):
        return because_of_mesh(rollout.verdict(), joined.mesh)
    assert isinstance(joined, InTheMaking)  # noqa: S101  (a problem is among the unresolved)
    return joined.verdict


def _status(observed: ObservedNode, rollout: Rollout) -> dict[str, Any]:
    node = observed.node
    status: dict[str, Any] = {
        "replicas": rollout.replicas,
        "readyReplicas": rollout.ready_replicas,
        **rollout.summary,
        "selector": selector_text(node),
        "agents": len(observed.seating.hosted),
    }
    if observed.joining.mesh:
        status["mesh"] = str(observed.joining.name)
    return status
