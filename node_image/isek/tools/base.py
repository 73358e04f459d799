"""The interface of a tool."""

import re
from abc import ABC, abstractmethod
from enum import IntEnum
from typing import Any

from isek.asking import CallContext
from isek.models.base import ToolSchema

TIMEOUT_SECONDS = 60.0

MAX_TOOL_NAME = 64
TOOL_NAME = rf"[a-zA-Z0-9_-]{{1,{MAX_TOOL_NAME}}}"
"""What OpenAI's API takes (Function calling, ``name``)."""


class RiskLevel(IntEnum):
    """What harm a tool may do."""

    LOW = 1
    """It reads, or works something out."""
    MEDIUM = 2
    """It changes what can be changed back."""
    HIGH = 3
    """It changes what cannot, or spends money."""


class ToolError(Exception):
    """A tool that could not do what it was asked. The model gets the message and may try otherwise."""


class Tool(ABC):
    """Something that a model may call."""

    risk_level: RiskLevel = RiskLevel.LOW
    timeout_seconds: float | None = TIMEOUT_SECONDS
    """After which a call is cut off; None: the run's deadline is enough."""
    schema: ToolSchema
    """Its name, what it is good for, and the JSON schema of its arguments."""

    @abstractmethod
    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """What it found, as text for the model.

        Raises:
            ToolError: the arguments do not fit, or it failed.
        """

    async def aclose(self) -> None:  # noqa: B027  (most tools hold nothing open)
        """Let go of connections and processes."""


def tool_name(name: str) -> str:
    """A name that models take for a tool: ``_`` for what they do not take in one."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:MAX_TOOL_NAME]


def text_argument(arguments: dict[str, Any], name: str) -> str:
    """The argument ``name``, which must be text, with no other beside it.

    Raises:
        ToolError: it is not so.
    """
    if set(arguments) != {name} or not isinstance(arguments[name], str):
        raise ToolError(f"the arguments must be one text, {name!r}; got {sorted(arguments)}")
    return str(arguments[name])
