"""From an IsekAgent to what runs it."""

from pathlib import Path

from isek.agent.run import LoopObserver
from isek.agent.runner import AgentRunner
from isek.api import IsekAgent
from isek.asking import Asks
from isek.models.build import build_model
from isek.tools.build import build_tools


def build_agent(agent: IsekAgent, asks: Asks, secrets_dir: Path, observer: LoopObserver | None = None) -> AgentRunner:
    """The runner of ``agent``; ``asks`` carries what its agent tools ask.

    Raises:
        ValueError: its specification does not work out; the message names the field.
    """
    return AgentRunner(
        build_model(agent.spec.model, secrets_dir),
        instructions=agent.spec.instructions,
        tools=build_tools(agent.spec.tools, asks),
        limits=agent.spec.limits,
        observer=observer,
    )
