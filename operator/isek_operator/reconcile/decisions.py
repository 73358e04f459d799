"""Which decision is made about which kind."""

from collections.abc import Callable

from isek.api import IsekAgent, IsekMesh, IsekNode, IsekTeam, Resource

from isek_operator.decide.agent import decide_agent
from isek_operator.decide.mesh import decide_mesh
from isek_operator.decide.node import decide_node
from isek_operator.decide.outcome import Outcome
from isek_operator.decide.team import decide_team
from isek_operator.decide.world import World
from isek_operator.settings import OperatorSettings

Decide = Callable[[Resource, World], Outcome]


def decisions(settings: OperatorSettings) -> Decide:
    """The decision about any resource, made under these settings."""

    def decide(resource: Resource, world: World) -> Outcome:
        here = settings if settings.cluster_name else settings.model_copy(update={"cluster_name": world.cluster()})
        match resource:
            case IsekMesh():
                return decide_mesh(resource, world, here)
            case IsekNode():
                return decide_node(resource, world, here)
            case IsekAgent():
                return decide_agent(resource, world, here)
            case IsekTeam():
                return decide_team(resource, world, here)
            case _:
                raise TypeError(f"no decision is known for {resource.kind}")

    return decide
