"""IsekTeam: agents, or teams, that solve a task together."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from isek.api.fields import Capability, LongText
from isek.api.model import ModelSpec
from isek.api.resource import Column, Resource, columns
from isek.api.schema import Model, Rule, exactly_one_of
from isek.api.workload import HOSTED_COLUMNS, URL_COLUMN, HostedSpec, HostedStatus, Reference


class Member(Model):
    """Who is in the team."""

    agent: Reference | None = None
    """An agent."""
    team: Reference | None = None
    """Another team."""
    capability: Capability | None = None
    """Whoever in the mesh offers it: the one whose bid is best takes the task."""

    rules = (exactly_one_of("agent", "team", "capability"),)

    @property
    def reference(self) -> Reference | None:
        """The agent or team: they share one space of names. None: whoever has a capability."""
        return self.agent or self.team

    @property
    def address(self) -> str:
        """How it is asked."""
        return f"capability:{self.capability}" if self.reference is None else self.reference.address


class Retries(Model):
    """Further tries of a member that failed for a reason that may pass."""

    attempts: Annotated[int, Field(ge=0, le=10)] = 3
    """How many; 0: none."""
    backoff_seconds: Annotated[tuple[Annotated[int, Field(ge=0, le=600)], ...], Field(min_length=1, max_length=10)] = (
        2,
        4,
        8,
    )
    """Seconds before each of them; the last one repeats."""


class IsekTeamSpec(HostedSpec):
    """What the team is to be."""

    mode: Literal["Sequential", "Coordinate", "Route", "Collaborate", "Adaptive"] = "Sequential"
    """Sequential: each member's answer is the next one's message, the last answer is the team's; Coordinate: a leader
    splits the task among members, who work at the same time, and puts their answers together; Route: the leader picks
    the member that answers; Collaborate: all members get the task, and the leader merges their answers; Adaptive: the
    leader decides each step from the answers so far."""
    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=32)]
    """Who is asked; in this order where the mode is Sequential."""
    instructions: LongText = ""
    """What the leader is told, beside what each of its decisions needs."""
    model: ModelSpec | None = None
    """The model that thinks for the leader."""
    max_rounds: Annotated[int, Field(ge=1, le=100)] = 6
    """Steps that an Adaptive team takes at most."""
    retries: Retries = Retries()
    """Further tries of a member that failed for a reason that may pass."""
    on_member_failure: Literal["Fail", "Continue"] = "Fail"
    """Whether a member that failed ends the run, or the others go on without it."""

    rules = (
        *HostedSpec.rules,
        Rule(
            cel="(self.mode != 'Sequential') == has(self.model)",
            message="model is the leader's: mode Sequential has none, and all other modes need one",
            holds=lambda spec: (spec.mode != "Sequential") == (spec.model is not None),
        ),
    )


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
