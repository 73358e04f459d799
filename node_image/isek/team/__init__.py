"""Agents that solve a task together."""
