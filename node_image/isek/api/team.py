"""IsekTeam: agents, or teams, that solve a task together."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from isek.api.resource import Column, Resource, columns
from isek.api.schema import Model, Rule, exactly_one_of
from isek.api.workload import HOSTED_COLUMNS, URL_COLUMN, HostedSpec, HostedStatus, Reference


class Member(Model):
    """Who is in the team."""

    agent: Reference | None = None
    """An agent."""
    team: Reference | None = None
    """Another team."""

    rules = (exactly_one_of("agent", "team"),)

    @property
    def reference(self) -> Reference:
        """The agent or team: they share one space of names."""
        reference = self.agent or self.team
        assert reference is not None  # noqa: S101  (the rule above)
        return reference


class IsekTeamSpec(HostedSpec):
    """What the team is to be."""

    mode: Literal["Sequential"] = "Sequential"
    """Sequential: each member's answer is the next one's message; the last answer is the team's."""
    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=32)]
    """Who is asked, in this order."""


class IsekTeam(Resource):
    """Agents, or teams, that solve a task together, wherever they live."""

    plural: ClassVar[str] = "isekteams"
    short_name: ClassVar[str] = "iteam"
    scalable: ClassVar[bool] = True
    columns: ClassVar[tuple[Column, ...]] = columns(
        *HOSTED_COLUMNS, Column("Mode", "string", ".spec.mode", priority=1), URL_COLUMN
    )
    rules = (
        Rule(
            cel=(
                "!self.spec.members.exists(member, has(member.team) && "
                "member.team.name == self.metadata.name && !has(member.team.__namespace__))"
            ),
            message="spec.members: a team cannot be its own member",
            holds=lambda team: all(
                member.team is None or (member.team.name, member.team.namespace) != (team.metadata.name, None)
                for member in team.spec.members
            ),
        ),
    )

    spec: IsekTeamSpec
    """What the team is to be."""
    status: HostedStatus = HostedStatus()
    """What the team is."""
