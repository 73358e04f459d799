"""From an IsekAgent resource to the agent."""

from pathlib import Path

from isek.agent.agent import IsekAgent
from isek.agent.limits import Budget, Guardrails, Limits
from isek.api import IsekAgent as Resource
from isek.asking import Asks
from isek.memory.build import build_memory
from isek.models.build import build_model
from isek.tools.base import RiskLevel
from isek.tools.build import build_tools


def build_agent(resource: Resource, asks: Asks, secrets_dir: Path, memory_dir: Path) -> IsekAgent:
    """The agent that ``resource`` describes, which names a model; ``asks`` carries what its agent tools ask.

    Raises:
        ValueError: its specification does not work out; the message names the field.
    """
    spec = resource.spec
    assert spec.model is not None  # noqa: S101  (by whoever loads those of code)
    return IsekAgent(
        resource.name,
        agent_id=f"{resource.name}.{resource.namespace}",
        model=build_model(spec.model, secrets_dir),
        memory=build_memory(spec.memory, resource.name, secrets_dir, memory_dir),
        tools=build_tools(spec.tools, asks, secrets_dir),
        description=spec.description,
        instructions=spec.instructions,
        success_criteria=spec.success_criteria,
        limits=Limits(
            max_iterations=spec.limits.max_iterations,
            timeout_seconds=spec.limits.timeout_seconds,
            max_tool_calls=spec.limits.max_tool_calls,
        ),
        budget=Budget(spec.budget.max_tokens_per_run, spec.budget.max_tool_calls_per_minute),
        guardrails=Guardrails(
            risk_threshold=RiskLevel[spec.guardrails.risk_threshold.upper()],
            blocked_patterns=spec.guardrails.blocked_patterns,
        ),
    )
