"""What becomes of an IsekAgent."""

from isek.api import IsekAgent, Resource

from isek_operator.decide.hosted import gather_hosted, judge_hosted
from isek_operator.decide.outcome import Outcome
from isek_operator.decide.world import World
from isek_operator.settings import OperatorSettings


def decide_agent(agent: Resource, world: World, settings: OperatorSettings) -> Outcome:
    """An agent is ready when its pods are; the agents that are its tools are looked for when it asks them."""
    assert isinstance(agent, IsekAgent)  # noqa: S101  (by whoever dispatches on the kind)
    return judge_hosted(gather_hosted(agent, world), settings)
