"""IsekTeam: agents, or teams, that solve a task together."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from isek.api.agent import IsekAgentStatus
from isek.api.fields import Text
from isek.api.resource import AGE_COLUMN, READY_COLUMNS, Column, Resource
from isek.api.schema import Model, Rule, exactly_one_of
from isek.api.workload import HOSTED_RULES, Limits, LocalReference, PodTemplate, Replicas


class Member(Model):
    """Who is in the team."""

    agent: LocalReference | None = None
    """An agent."""
    team: LocalReference | None = None
    """Another team."""

    rules = (exactly_one_of("agent", "team"),)

    @property
    def name(self) -> str:
        """The member's address within the namespace: agents and teams share one space of names."""
        reference = self.agent or self.team
        assert reference is not None  # noqa: S101  (the rule above)
        return reference.name


class IsekTeamSpec(Model):
    """What the team is to be."""

    description: Text = ""
    """What it is good for, in a sentence; stands on its card."""
    mode: Literal["Sequential"] = "Sequential"
    """Sequential: each member's answer is the next one's message; the last answer is the team's."""
    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=32)]
    """Who is asked, in this order."""
    limits: Limits = Limits()
    """What a run may take."""
    mesh_ref: LocalReference | None = None
    """The mesh it joins; default: the one called default, made where it is missing."""
    node_ref: LocalReference | None = None
    """The IsekNode that hosts it; default: a Deployment of its own."""
    replicas: Replicas = 1
    """Pods of its own Deployment."""
    template: PodTemplate | None = None
    """What these pods look like."""

    rules = HOSTED_RULES


class IsekTeamStatus(IsekAgentStatus):
    """What the team is."""


class IsekTeam(Resource):
    """Agents, or teams, that solve a task together, wherever they live."""

    plural: ClassVar[str] = "isekteams"
    short_name: ClassVar[str] = "iteam"
    scalable: ClassVar[bool] = True
    columns: ClassVar[tuple[Column, ...]] = (
        READY_COLUMNS[0],
        Column("Mode", "string", ".spec.mode"),
        Column("Node", "string", ".status.node"),
        Column("Mesh", "string", ".status.mesh"),
        Column("Replicas", "string", ".status.readyReplicas"),
        *READY_COLUMNS[1:],
        Column("URL", "string", ".status.url", priority=1),
        AGE_COLUMN,
    )
    rules = (
        Rule(
            cel="!self.spec.members.exists(member, has(member.team) && member.team.name == self.metadata.name)",
            message="spec.members: a team cannot be its own member",
            holds=lambda team: all(
                member.team is None or member.team.name != team.metadata.name for member in team.spec.members
            ),
        ),
    )

    spec: IsekTeamSpec
    """What the team is to be."""
    status: IsekTeamStatus = IsekTeamStatus()
    """What the team is."""
