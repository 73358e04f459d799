"""Answers in a form that a program can use: structured output."""

import json
from typing import Any

from isek.models.base import OutputSchema


class Output:
    """A type that answers have to be of: a pydantic model, a dataclass, or what else pydantic validates."""

    def __init__(self, type_: Any) -> None:
        from pydantic import TypeAdapter  # noqa: PLC0415  (a tenth of a second that other agents need not spend)

        self._adapter: TypeAdapter[Any] = TypeAdapter(type_)
        self.schema = OutputSchema(getattr(type_, "__name__", "answer"), self._adapter.json_schema())
        self.instructions = f"Answer with JSON alone, after this JSON schema: {json.dumps(self.schema.schema)}"

    def read(self, text: str) -> Any:
        """The object that an answer holds.

        Raises:
            ValueError: it does not fit; the message tells where.
        """
        return self._adapter.validate_json(_without_fence(text))


def _without_fence(text: str) -> str:
    """Models like to put JSON into a Markdown fence."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```"):
        return stripped.partition("\n")[2].removesuffix("```")
    return stripped
