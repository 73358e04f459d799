"""The interface of a tool."""

from typing import Any, Protocol

from isek.asking import CallContext
from isek.models.base import ToolSchema


class ToolError(Exception):
    """A tool that could not do what it was asked. The model gets the message and may try otherwise."""


class Tool(Protocol):
    """Something that a model may call."""

    @property
    def schema(self) -> ToolSchema:
        """Its name, what it is good for, and the JSON schema of its arguments."""
        ...

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """What it found, as text for the model.

        Raises:
            ToolError: the arguments do not fit, or it failed.
        """
        ...


def text_argument(arguments: dict[str, Any], name: str) -> str:
    """The argument ``name``, which must be text, with no other beside it.

    Raises:
        ToolError: it is not so.
    """
    if set(arguments) != {name} or not isinstance(arguments[name], str):
        raise ToolError(f"the arguments must be one text, {name!r}; got {sorted(arguments)}")
    return str(arguments[name])
