"""Where an agent or a team is to run."""

from dataclasses import dataclass

from isek_operator.decide.cycles import cycle_problem, member_cycle
from isek_operator.decide.joining import InTheMaking, Joined, Joining, ObservedJoining, gather_joining, join
from isek_operator.decide.missing import missing_claims, missing_code, missing_secrets
from isek_operator.decide.names import name_conflict, name_rival
from isek_operator.decide.node import ObservedNode, gather_node
from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.references import Hosted, MeshName, node, node_name
from isek_operator.decide.world import World
from isek_operator.settings import OperatorSettings


@dataclass(frozen=True)
class Dedicated:
    """On pods of its own."""

    joined: Joined


@dataclass(frozen=True)
class Shared:
    """On the pods of an IsekNode."""

    host: ObservedNode
    joining: Joining
    """Of the IsekNode."""


Placement = Dedicated | Shared | InTheMaking | Problem


@dataclass(frozen=True)
class ObservedPlace:
    """All that placing an agent or a team depends on."""

    resource: Hosted
    rival: Hosted | None
    cycle: tuple[str, ...] | None
    host: ObservedNode | None
    """The IsekNode that it names, with all around that; None: it names none, or one that is not there."""
    own_joining: ObservedJoining | None
    """Its own mesh; None: it uses that of the IsekNode."""
    missing: tuple[Problem, ...]
    """Secrets, code and volume claims that it refers to and that do not exist."""

    @property
    def mesh(self) -> MeshName | None:
        """The mesh that it is in; None: it is not there."""
        joining = self.host.joining if self.host else self.own_joining
        return joining.name if joining and joining.mesh else None


def gather_place(resource: Hosted, world: World) -> ObservedPlace:
    """Look up all that placing ``resource`` depends on."""
    host_name = node_name(resource)
    host = node(resource.namespace, host_name, world) if host_name else None
    return ObservedPlace(
        resource=resource,
        rival=name_rival(resource, world),
        cycle=member_cycle(resource, world),
        host=gather_node(host, world) if host else None,
        own_joining=None if host_name else gather_joining(resource, world),
        missing=(
            *missing_secrets(resource, world),
            *missing_code(resource, world),
            *missing_claims(resource, world),
        ),
    )


def place(observed: ObservedPlace, settings: OperatorSettings) -> Placement:
    """Where the resource is to run, or what the user has to mend before it runs for the first time."""
    resource = observed.resource
    if observed.rival:
        return name_conflict(resource, observed.rival)
    if observed.cycle:
        return cycle_problem(observed.cycle)
    if observed.own_joining is None:
        return _on_node(observed, settings)
    joined = join(observed.own_joining, settings)
    if not isinstance(joined, Joined):
        return joined
    if observed.missing:
        return observed.missing[0]
    return Dedicated(joined)


def _on_node(observed: ObservedPlace, settings: OperatorSettings) -> Shared | Problem:
    resource, host = observed.resource, observed.host
    if host is None:
        message = (
            f"IsekNode {node_name(resource)!r} does not exist in namespace {resource.namespace!r}; "
            f"create it, or fix spec.nodeRef"
        )
        return Problem(Reason.NODE_NOT_FOUND, message)
    if not _among(resource, host.seating.seated):
        node = host.node
        message = (
            f"IsekNode {node.name!r} hosts {len(host.seating.seated)} of {node.spec.max_agents} agents and teams; "
            f"raise its spec.maxAgents, or name another in spec.nodeRef"
        )
        return Problem(Reason.NODE_FULL, message)
    if not _among(resource, host.seating.hosted):
        return observed.missing[0]
    return Shared(host, join(host.joining, settings))


def _among(resource: Hosted, others: tuple[Hosted, ...]) -> bool:
    return any((other.kind, other.name) == (resource.kind, resource.name) for other in others)
