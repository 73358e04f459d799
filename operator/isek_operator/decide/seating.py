"""Who is hosted on an IsekNode, of all that want to be."""

from collections.abc import Iterable
from dataclasses import dataclass

from isek.api import IsekNode, Resource

from isek_operator.decide.cycles import member_cycle
from isek_operator.decide.missing import missing_code, missing_secrets
from isek_operator.decide.names import age, name_rival
from isek_operator.decide.references import HOSTED_KINDS, Hosted, node, node_name
from isek_operator.decide.world import World


@dataclass(frozen=True)
class Seating:
    """The agents and teams around one IsekNode, oldest first."""

    seated: tuple[Hosted, ...]
    """Those that have a place; past maxAgents the newest have none."""
    hosted: tuple[Hosted, ...]
    """Those of them that run there, not those that miss their code. One that misses a Secret gets no pods restarted for
    it, unless it ran before."""


def applicants(node: IsekNode, world: World) -> list[Hosted]:
    """All that name ``node``, oldest first."""
    found = (resource for kind in HOSTED_KINDS for resource in world.resources(kind, node.namespace))
    return sorted((each for each in found if isinstance(each, Hosted) and node_name(each) == node.name), key=age)


def runs(resource: Resource, world: World) -> Iterable[Resource]:
    """Whose references the pods of ``resource`` follow: its own, and those of all that has or wants a place there."""
    return (resource, *applicants(resource, world)) if isinstance(resource, IsekNode) else (resource,)


def neighbours(resource: Resource, world: World) -> Iterable[Resource]:
    """All on whom it depends what the pods of the IsekNode that ``resource`` names are made from."""
    host_name = node_name(resource)
    host = node(resource.namespace, host_name, world) if host_name else None
    return applicants(host, world) if host else ()


def seating(node: IsekNode, world: World) -> Seating:
    """Who has a place on ``node``, and who of them runs there."""
    eligible = [each for each in applicants(node, world) if name_rival(each, world) is None]
    seated = tuple(eligible[: node.spec.max_agents])
    return Seating(seated, tuple(each for each in seated if _may_run(each, node, world)))


def _may_run(resource: Hosted, node: IsekNode, world: World) -> bool:
    if member_cycle(resource, world) or missing_code(resource, world):
        return False
    return resource.status.node == node.name or not missing_secrets(resource, world)
