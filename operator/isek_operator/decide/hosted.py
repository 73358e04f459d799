"""What becomes of an agent or a team."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isek_operator.decide.access import access_problem
from isek_operator.decide.code import CodeDigests, code_digests
from isek_operator.decide.conditions import Verdict, condition, resolved_references, verdict_findings
from isek_operator.decide.destinations import Destination, destinations
from isek_operator.decide.etcd.view import BrokenAgent
from isek_operator.decide.joining import InTheMaking, Joined, because_of_mesh, is_refusal
from isek_operator.decide.memory_volume import MemoryVolume, gather_memory_volume
from isek_operator.decide.outcome import Manifest, Outcome, Upgrade
from isek_operator.decide.peers import Peer, gather_peers, unresolved_peers
from isek_operator.decide.placement import Dedicated, ObservedPlace, Placement, Shared, gather_place, place
from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.references import Hosted, User
from isek_operator.decide.rollout import Rollout, child
from isek_operator.decide.upgrade import config_hash
from isek_operator.decide.workload import Workload
from isek_operator.decide.world import World
from isek_operator.manifests.deployment import deployment
from isek_operator.manifests.meta import selector_text, workload_name
from isek_operator.manifests.node_container import HTTP_PORT, HTTPS_PORT
from isek_operator.manifests.workload import workload_manifests
from isek_operator.settings import OperatorSettings

_REFERENCE_REASONS = frozenset(
    {Reason.MESH_NOT_FOUND, Reason.MESH_NOT_ALLOWED, Reason.NODE_NOT_FOUND, Reason.MEMBER_CYCLE}
)

UNHEARD_SECONDS = 5.0
"""Until it is looked at again whether the etcd tells what nodes cannot run."""


@dataclass(frozen=True)
class ObservedHosted:
    """All that a decision about an agent or a team depends on."""

    place: ObservedPlace
    peers: tuple[Peer, ...]
    destinations: frozenset[Destination]
    """What its pods have to reach beyond the mesh."""
    memory: MemoryVolume | None
    """The volume that is to be made for its memory."""
    code: CodeDigests
    broken: tuple[BrokenAgent, ...]
    """What nodes say of it that could not build it."""
    unheard: Problem | None
    """What they said when they were heard last, where the etcd has told nothing since the operator began."""
    deployment: Manifest | None
    """Its own, where it has one."""
    upgrades: Mapping[str, int]
    """How many Deployments are on their way to each version of the operator."""

    @property
    def resource(self) -> Hosted:
        """The agent or team."""
        return self.place.resource


def gather_hosted(resource: Hosted, world: World) -> ObservedHosted:
    """Look up all that a decision about ``resource`` depends on."""
    place = gather_place(resource, world)
    return ObservedHosted(
        place=place,
        peers=gather_peers(resource, world),
        destinations=destinations([resource], world),
        memory=gather_memory_volume(resource, world),
        code=code_digests([resource], world),
        broken=_broken(resource, place, world),
        unheard=_unheard(resource, place, world),
        deployment=child(world.children(resource.metadata.uid), "Deployment", workload_name(resource)),
        upgrades=world.upgrades(),
    )


def _broken(resource: Hosted, place: ObservedPlace, world: World) -> tuple[BrokenAgent, ...]:
    view = world.etcd(*place.mesh) if place.mesh else None
    name = (resource.kind, resource.namespace, resource.name)
    found = (each for each in ((view and view.broken) or ()) if (each.kind, each.namespace, each.name) == name)
    return tuple(sorted(found, key=lambda each: each.message))


def _unheard(resource: Hosted, place: ObservedPlace, world: World) -> Problem | None:
    view, said = world.etcd(*place.mesh) if place.mesh else None, condition(resource, "Stalled")
    if (view and view.broken is not None) or said is None or said.reason != Reason.AGENT_INVALID:
        return None
    return Problem(Reason.AGENT_INVALID, said.message)


def judge_hosted(observed: ObservedHosted, settings: OperatorSettings, *, waits_for: str | None = None) -> Outcome:
    """The decision, by what was observed alone.

    ``waits_for`` says what is missing once its own pods are ready; None: nothing.
    """
    placement = place(observed.place, settings)
    made = _made(observed, placement, settings) if isinstance(placement, Dedicated) else ()
    rollout = _rollout(observed, placement, made, settings)
    unresolved = _unresolved(observed, placement)
    problems = [*_unguarded(observed, placement), *unresolved, *_invalid(observed, rollout)]
    verdict = _verdict(placement, rollout, problems)
    if verdict.ready and waits_for:
        verdict = Verdict.moving(Reason.MEMBER_NOT_READY, waits_for)
    if observed.memory:
        verdict = observed.memory.explain(verdict)
    return Outcome(
        findings=(*verdict_findings(verdict), resolved_references([*unresolved, *_changed(observed, rollout)])),
        status=_status(observed, placement, rollout),
        wish=_wish(observed, placement, rollout, made),
        secrets=placement.joined.copies if isinstance(placement, Dedicated) else (),
        companions=placement.companions if isinstance(placement, InTheMaking) else (),
        upgrade=rollout.turn.upgrade if isinstance(placement, Dedicated) else Upgrade.NONE,
        look_again_after=UNHEARD_SECONDS if observed.unheard else None,
    )


def _rollout(
    observed: ObservedHosted, placement: Placement, made: tuple[Manifest, ...], settings: OperatorSettings
) -> Rollout:
    if isinstance(placement, Shared):
        host, joining = placement.host, placement.joining
        wished = deployment(host.workload(joining), settings) if isinstance(joining, Joined) else None
        return host.rollout(wished, settings)
    wished = child(made, "Deployment", workload_name(observed.resource))
    return Rollout.of(observed.deployment, wished, selector_text(observed.resource), observed.upgrades, settings)


def _made(observed: ObservedHosted, placement: Dedicated, settings: OperatorSettings) -> tuple[Manifest, ...]:
    made = workload_manifests(_workload(observed, placement), settings)
    if observed.memory is None:
        return made
    if observed.memory.claim is None:
        return (observed.memory.wish, *made)  # pods mount it by its name, under which somebody else's may be there
    return (*made, observed.memory.wish)  # one that may not grow holds up nothing else


def _workload(observed: ObservedHosted, placement: Dedicated) -> Workload:
    mesh, key = placement.joined.mesh, placement.joined.network_key
    return Workload(observed.resource, (observed.resource,), mesh, key, observed.destinations, observed.code)


def _unresolved(observed: ObservedHosted, placement: Placement) -> list[Problem]:
    return [
        *([placement] if isinstance(placement, Problem) and placement.reason in _REFERENCE_REASONS else []),
        *observed.place.missing,
        *unresolved_peers(observed.peers, observed.place.mesh),
    ]


def _unguarded(observed: ObservedHosted, placement: Placement) -> list[Problem]:
    """Why it cannot be said who may call it; who is not let in for certain is not let in meanwhile."""
    joined = placement.joined if isinstance(placement, Dedicated) else None
    joining = placement.joining if isinstance(placement, Shared) else joined
    problem = access_problem(observed.resource, joining.mesh) if isinstance(joining, Joined) else None
    return [problem] if problem else []


def _invalid(observed: ObservedHosted, rollout: Rollout) -> list[Problem]:
    """Why pods of the wished specification cannot run it; those of others are on their way out."""
    if observed.unheard:
        return [observed.unheard]
    wished = config_hash(rollout.wished) if rollout.wished else None
    said = [each for each in observed.broken if each.config_hash == wished and not each.only_tools]
    return [Problem(Reason.AGENT_INVALID, each.message) for each in said]


def _changed(observed: ObservedHosted, rollout: Rollout) -> list[Problem]:
    """The tools that it does without: it answers nevertheless."""
    wished = config_hash(rollout.wished) if rollout.wished else None
    said = {each.message for each in observed.broken if each.config_hash == wished and each.only_tools}
    return [Problem(Reason.TOOLS_CHANGED, message) for message in sorted(said)]


def _verdict(placement: Placement, rollout: Rollout, problems: list[Problem]) -> Verdict:
    if isinstance(placement, Problem):
        return Verdict.stuck(placement)
    if problems:
        return Verdict.stuck(problems[0])
    if isinstance(placement, InTheMaking):
        return placement.verdict
    if isinstance(placement, Dedicated):
        return because_of_mesh(rollout.verdict(), placement.joined.mesh)
    return _on_node(placement, rollout)


def _on_node(placement: Shared, rollout: Rollout) -> Verdict:
    name, host = placement.host.node.name, rollout.verdict()
    if not isinstance(placement.joining, Joined):
        return Verdict.moving(Reason.NODE_NOT_READY, f"waiting for IsekNode {name!r}: {placement.joining.message}")
    if host.reason is Reason.SCALED_TO_ZERO:
        return Verdict.done(Reason.SCALED_TO_ZERO, f"IsekNode {name!r} has no pods; scale it up to get answers")
    if host.ready:
        return Verdict.done(Reason.HOSTED, f"IsekNode {name!r} hosts it; {host.message}")
    message = f"waiting for IsekNode {name!r}: {host.message}; see kubectl describe iseknode {name}"
    return Verdict.moving(Reason.NODE_NOT_READY, message)


def _wish(
    observed: ObservedHosted, placement: Placement, rollout: Rollout, made: tuple[Manifest, ...]
) -> tuple[Manifest, ...] | None:
    if isinstance(placement, Dedicated):
        return rollout.wish(made)
    remembered = (observed.memory.wish,) if observed.memory and observed.memory.claim else ()
    if _has_no_address(placement):
        return remembered  # pods from before the rival was known would answer in its place
    if not isinstance(placement, Dedicated | Shared) and is_refusal(placement):
        return remembered  # nor does it stay in a mesh that does not let it in any more
    if isinstance(placement, Shared) and rollout.complete:
        return ()  # pods that it had before go only now, when the node answers for it
    return None


def _status(observed: ObservedHosted, placement: Placement, rollout: Rollout) -> dict[str, Any]:
    resource, mesh = observed.resource, observed.place.mesh
    status: dict[str, Any] = {
        "replicas": rollout.replicas,
        "readyReplicas": rollout.ready_replicas,
        **rollout.summary,
    }
    if isinstance(placement, Shared):
        node = placement.host.node
        status |= {"selector": selector_text(node), "node": node.name, "url": _url(node, resource)}
    else:
        status["selector"] = selector_text(resource)
        if isinstance(placement, Dedicated) or (observed.deployment and not _has_no_address(placement)):
            status |= {"node": workload_name(resource), "url": _url(resource, resource)}
    if mesh:
        status["mesh"] = str(mesh)
    return status


def _has_no_address(placement: Placement) -> bool:
    return isinstance(placement, Problem) and placement.reason is Reason.NAME_CONFLICT


def _url(host: User, resource: Hosted) -> str:
    secure = host.spec.template is not None and host.spec.template.tls_secret is not None
    scheme, port = ("https", HTTPS_PORT) if secure else ("http", HTTP_PORT)
    return f"{scheme}://{workload_name(host)}.{host.namespace}.svc:{port}/agents/{resource.name}"
