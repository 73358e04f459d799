"""Processes that are started beside the own one: how, with what, and how they end."""
