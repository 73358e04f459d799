"""One agent at work: the loop between its model and its tools."""

from isek.agent.agent import IsekAgent
from isek.agent.limits import Budget, Guardrails, Limits

__all__ = ["Budget", "Guardrails", "IsekAgent", "Limits"]
