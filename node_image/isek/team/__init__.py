"""Agents that solve a task together."""

from isek.team.runner import TeamRunner

__all__ = ["TeamRunner"]
