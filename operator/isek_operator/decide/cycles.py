"""Teams that are members of themselves, through other teams."""

from collections import deque

from isek.api import IsekTeam, Resource

from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.references import peer_references
from isek_operator.decide.world import World


def member_cycle(team: Resource, world: World) -> tuple[str, ...] | None:
    """The shortest path from ``team`` through its members back to itself, both ends named; None: there is none.

    Teams of the namespace of ``team`` stand in it by name, others by address.
    """
    start = (team.namespace, team.name)
    paths: deque[tuple[tuple[str, str], ...]] = deque([(start,)])
    seen: set[tuple[str, str]] = set()
    while paths:
        path = paths.popleft()
        at = team if len(path) == 1 else world.resource("IsekTeam", *path[-1])
        for reference in peer_references(at) if isinstance(at, IsekTeam) else ():
            member = (reference.namespace, reference.name)
            if reference.kinds != ("IsekTeam",) or member in seen:
                continue
            if member == start:
                return tuple(_shown(each, team.namespace) for each in (*path, start))
            seen.add(member)
            paths.append((*path, member))
    return None


def _shown(team: tuple[str, str], namespace: str) -> str:
    return team[1] if team[0] == namespace else f"{team[1]}.{team[0]}"


def cycle_problem(cycle: tuple[str, ...]) -> Problem:
    """What to say about it."""
    return Problem(
        Reason.MEMBER_CYCLE,
        f"team {cycle[0]!r} is a member of itself: {' -> '.join(cycle)}; take one of these out of spec.members",
    )
