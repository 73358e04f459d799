"""What OpenAI's two APIs have in common: errors, usage, pictures, and what else stands in ``isek`` beside them."""

import base64
import binascii
import dataclasses
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError
from pydantic.alias_generators import to_camel

from isek.api.schema import explain
from isek.asking import Answer
from isek.errors import CallError, IsekError
from isek.events import Event, ModelReplied, RunEnded
from isek.models.base import Image, Usage
from isek.node.conversation import invalid

EXTENSION = "isek"
MAX_TOOLS = 128

Item = TypeVar("Item")
Form = TypeVar("Form", bound=BaseModel)


Several = Annotated[list[Item], Field(fail_fast=True)]
"""A list of which the first mistake is told: telling each takes far more memory than the list."""


def _nothing(value: Any) -> None:
    if value not in (None, [], {}):
        raise ValueError("models take it, agents do not: leave it out")


Nothing = Annotated[Any, AfterValidator(_nothing)]
"""What can be asked of a model and not of an agent."""


def read_request(form: type[Form], body: object, path: str) -> Form:
    """The request that a JSON body holds.

    Raises:
        CallError: ``InvalidRequest``; names each field that is wrong.
    """
    try:
        return form.model_validate(body)
    except ValidationError as error:
        raise CallError(
            "InvalidRequest",
            "; ".join(explain(error)),
            hint=f"send what docs/guides/clients.md says of {path}",
            status=400,
        ) from None


def error_body(error: IsekError) -> dict[str, Any]:
    """The error as OpenAI's clients read it."""
    kind = (
        "rate_limit_error" if error.status == 429 else "invalid_request_error" if error.status < 500 else "server_error"
    )
    return {"error": {"message": said_of(error), "type": kind, "param": None, "code": error.code}}


def said_of(error: IsekError) -> str:
    """The error, and what to do."""
    return f"{error.message}; {error.hint}" if error.hint else error.message


def usage_body(usage: Usage) -> dict[str, int]:
    """The tokens of all calls of models in a run."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }


def added(so_far: Usage, event: object) -> Usage:
    """The usage, with that of a step."""
    if not isinstance(event, ModelReplied) or event.usage is None:
        return so_far
    used = event.usage
    return Usage(so_far.input_tokens + used.input_tokens, so_far.output_tokens + used.output_tokens)


def step_body(event: Event) -> dict[str, Any]:
    """A step: ``step`` is the event's name, the rest its fields."""
    fields = {each.name: getattr(event, each.name) for each in dataclasses.fields(event)}
    if isinstance(event, RunEnded):
        result = fields.pop("result")
        fields |= {"exit": result.exit.value, "error": result.errors[0].code if result.failed else None}
    if isinstance(event, ModelReplied):
        fields["usage"] = None if event.usage is None else usage_body(event.usage)
    return {"step": type(event).__name__} | {to_camel(name): value for name, value in fields.items()}


def trace_body(answer: Answer) -> dict[str, Any]:
    """Who was asked for the answer."""
    if answer.trace is None:
        return {}
    return {"trace": answer.trace.model_dump(mode="json", by_alias=True, exclude_none=True)}


def image_of(url: str) -> Image:
    """A picture by its address, or within it.

    Raises:
        CallError: ``InvalidRequest``.
    """
    if not url.startswith("data:"):
        return Image(url=url)
    kind, _, content = url.removeprefix("data:").partition(";base64,")
    try:
        return Image(content=base64.b64decode(content, validate=True), media_type=kind)
    except (binascii.Error, ValueError):
        raise invalid("messages: an image_url is not base64") from None
