"""Answers in a form that a program can use: structured output."""

import json
import re
from typing import Any

from isek.models.base import OutputSchema

WRAPPED = "response"
"""Under which an answer stands that is no object itself: some providers take objects only."""


class Output:
    """A type that answers have to be of: a pydantic model, a dataclass, or what else pydantic validates.

    Raises:
        ValueError: pydantic does not know how.
    """

    def __init__(self, type_: Any) -> None:
        from pydantic import PydanticUserError, TypeAdapter  # noqa: PLC0415  (a tenth of a second that other agents need not spend)

        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(type_)
            schema = self._adapter.json_schema()
        except PydanticUserError as error:
            raise ValueError(f"output_type {type_!r} is no type of answers: {error.message}") from None
        self._wrapped = schema.get("type") != "object"
        name = re.sub(r"[^a-zA-Z0-9_-]+", "_", getattr(type_, "__name__", "answer"))  # all that OpenAI takes
        self.schema = OutputSchema(name, _wrapped(schema) if self._wrapped else schema)
        self.instructions = f"Answer with JSON alone, after this JSON schema: {json.dumps(self.schema.schema)}"

    def read(self, text: str) -> Any:
        """The object that an answer holds.

        Raises:
            ValueError: it does not fit; the message tells where.
        """
        answer = _without_fence(text)
        return self._adapter.validate_json(_unwrapped(answer) if self._wrapped else answer)


class GivenForm:
    """A form that a caller wants for its answer. The model is told; how well it keeps to it is its own affair, but what
    is no JSON object at all is not taken."""

    def __init__(self, schema: OutputSchema) -> None:
        self.schema = schema
        self.instructions = f"Answer with JSON alone, after this JSON schema: {json.dumps(schema.schema)}"

    def read(self, text: str) -> str:
        """The answer without what surrounds it.

        Raises:
            ValueError: it is no JSON object.
        """
        answer = _without_fence(text)
        try:
            read = json.loads(answer)
        except RecursionError:
            read = None
        if not isinstance(read, dict):
            raise ValueError("it is no JSON object")  # noqa: TRY004
        return answer


def _wrapped(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object that holds nothing else; what is referred to stays where the references look for it."""
    inner = dict(schema)
    definitions = {"$defs": inner.pop("$defs")} if "$defs" in inner else {}
    return {"type": "object", "properties": {WRAPPED: inner}, "required": [WRAPPED], **definitions}


def _unwrapped(answer: str) -> str:
    """What the object holds; not all models make one."""
    try:
        read = json.loads(answer)
    except (ValueError, RecursionError):
        return answer
    return json.dumps(read[WRAPPED]) if isinstance(read, dict) and read.keys() == {WRAPPED} else answer


def _without_fence(text: str) -> str:
    """Models like to put JSON into a Markdown fence."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```"):
        return stripped.partition("\n")[2].removesuffix("```")
    return stripped
