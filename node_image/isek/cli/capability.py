"""Who in a mesh has a capability: for commands, which ask from outside of it, and so those who let them in alone."""

import random
from difflib import get_close_matches

import click

from isek.cli.meshes import Meshes
from isek.cli.nodes import known_nodes
from isek.cli.output import harmless

CAPABILITY = "capability:"
"""How a target begins that names no agent, but what it is to be able to do; as an address of agents does."""


def having(capability: str, meshes: Meshes, mesh: str) -> list[tuple[str, str]]:
    """Name and namespace of those who have it, whoever is to be asked first before the others.

    Args:
        capability: what they are to be able to do.
        meshes: where.
        mesh: ``<namespace>/<name>``.

    Raises:
        click.ClickException: nobody has it.
    """
    offered = [
        (each, (agent.name, record.namespace))
        for record in known_nodes(meshes, mesh).nodes
        for agent in record.agents
        for each in agent.capabilities
    ]
    found = list({agent for each, agent in offered if each == capability})
    if not found:
        there = sorted({each for each, _ in offered})
        alike = get_close_matches(capability, there, n=1)
        hint = f"did you mean {alike[0]}?" if alike else f"there are: {', '.join(there) or 'none'}"
        raise click.ClickException(harmless(f"nobody in mesh {mesh} has the capability {capability!r}; {hint}"))
    random.shuffle(found)  # spreads load
    return sorted(found, key=lambda agent: agent[1] != meshes.namespace)
