"""From an IsekTeam resource to the team."""

from pathlib import Path

from isek.agent.limits import Limits
from isek.api import IsekTeam as Resource
from isek.asking import Asks
from isek.colleague import Far
from isek.models.build import build_model
from isek.team.modes import Mode
from isek.team.retries import Retries
from isek.team.team import IsekTeam, OnMemberFailure

MODES: dict[str, Mode] = {
    "Sequential": "sequential",
    "Coordinate": "coordinate",
    "Route": "route",
    "Collaborate": "collaborate",
    "Adaptive": "adaptive",
}
ON_MEMBER_FAILURE: dict[str, OnMemberFailure] = {"Fail": "fail", "Continue": "continue"}


def build_team(resource: Resource, asks: Asks, secrets_dir: Path) -> IsekTeam:
    """The team that ``resource`` describes; ``asks`` carries what its members are asked.

    Raises:
        ValueError: its specification does not work out; the message names the field.
    """
    spec = resource.spec
    return IsekTeam(
        [Far(member.address, asks) for member in spec.members],
        MODES[spec.mode],
        name=resource.name,
        description=spec.description,
        model=None if spec.model is None else build_model(spec.model, secrets_dir),
        instructions=spec.instructions,
        max_rounds=spec.max_rounds,
        retries=Retries(spec.retries.attempts, spec.retries.backoff_seconds),
        on_member_failure=ON_MEMBER_FAILURE[spec.on_member_failure],
        limits=Limits(timeout_seconds=spec.limits.timeout_seconds),
    )
