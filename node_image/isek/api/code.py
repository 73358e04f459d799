"""Agents that are written in Python."""

import re

from isek.api.fields import PythonPath
from isek.api.schema import Model, Rule
from isek.api.workload import ObjectReference

_TOP_LEVEL = r"^[A-Za-z_][A-Za-z0-9_]*:"


class Code(Model):
    """Where an agent is that is written in Python, with `isek`."""

    config_map_ref: ObjectReference | None = None
    """The ConfigMap with its files, which can import each other; default: it is in the image."""
    entrypoint: PythonPath
    """`package.module:name`: an agent, a team or an adapter."""

    rules = (
        Rule(
            cel=f"!has(self.configMapRef) || self.entrypoint.matches('{_TOP_LEVEL}')",
            message="entrypoint: a ConfigMap has no packages: name a file of it, as in my_agent:agent",
            holds=lambda code: code.config_map_ref is None or re.match(_TOP_LEVEL, code.entrypoint) is not None,
        ),
    )

    @property
    def module(self) -> str:
        """What is to be imported."""
        return self.entrypoint.partition(":")[0]

    @property
    def file(self) -> str:
        """The key of the ConfigMap, or the name of the file beside others, that holds it."""
        return f"{self.module}.py"
