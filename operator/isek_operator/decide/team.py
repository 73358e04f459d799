"""What becomes of an IsekTeam."""

from isek.api import IsekTeam, Resource

from isek_operator.decide.hosted import gather_hosted, judge_hosted
from isek_operator.decide.outcome import Outcome
from isek_operator.decide.peers import members_not_ready
from isek_operator.decide.world import World
from isek_operator.settings import OperatorSettings


def decide_team(team: Resource, world: World, settings: OperatorSettings) -> Outcome:
    """A team is ready when its pods are and all its members are: it answers through them only."""
    assert isinstance(team, IsekTeam)  # noqa: S101  (by whoever dispatches on the kind)
    observed = gather_hosted(team, world)
    return judge_hosted(observed, settings, waits_for=members_not_ready(observed.peers))
