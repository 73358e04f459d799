"""Teams that are members of themselves, through other teams."""

from collections import deque

from isek.api import IsekTeam, Resource

from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.world import World


def member_cycle(team: Resource, world: World) -> tuple[str, ...] | None:
    """The shortest path from ``team`` through its members back to itself, both ends named; None: there is none."""
    paths: deque[tuple[str, ...]] = deque([(team.name,)])
    seen: set[str] = set()
    while paths:
        path = paths.popleft()
        at = team if len(path) == 1 else world.resource("IsekTeam", team.namespace, path[-1])
        if not isinstance(at, IsekTeam):
            continue
        for member in at.spec.members:
            if member.team is None or member.team.name in seen:
                continue
            if member.team.name == team.name:
                return (*path, team.name)
            seen.add(member.team.name)
            paths.append((*path, member.team.name))
    return None


def cycle_problem(cycle: tuple[str, ...]) -> Problem:
    """What to say about it."""
    return Problem(
        Reason.MEMBER_CYCLE,
        f"team {cycle[0]!r} is a member of itself: {' -> '.join(cycle)}; take one of these out of spec.members",
    )
