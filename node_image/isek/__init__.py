"""Isek: agents that find each other, talk to each other and solve tasks together."""

from importlib.metadata import version

__version__ = version("isek-operator")
