"""Gather, decide, apply, status: one module per kind."""
