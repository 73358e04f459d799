"""From an IsekTeam resource to the team."""

from isek.agent.limits import Limits
from isek.api import IsekTeam as Resource
from isek.asking import Asks
from isek.colleague import Far
from isek.team.team import IsekTeam


def build_team(resource: Resource, asks: Asks) -> IsekTeam:
    """The team that ``resource`` describes; ``asks`` carries what its members are asked."""
    spec = resource.spec
    return IsekTeam(
        [Far(member.reference.address, asks) for member in spec.members],
        name=resource.name,
        description=spec.description,
        limits=Limits(timeout_seconds=spec.limits.timeout_seconds),
    )
