"""The chat completions of OpenAI's API, as far as an agent can be asked by them.

What the API does not know stands in an extra object ``isek``, which clients pass over: the steps and the trace.
"""

import base64
import binascii
import dataclasses
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError
from pydantic.alias_generators import to_camel

from isek.api.schema import explain
from isek.asking import DEFAULT_USER
from isek.errors import CallError, IsekError
from isek.events import Event, ModelReplied, RunEnded
from isek.models.base import Image, Message, Usage

EXTENSION = "isek"


class TextPart(BaseModel):
    """Text in a message."""

    type: Literal["text"]
    text: str


class ImageUrl(BaseModel):
    """``https://…``, or ``data:image/…;base64,…``."""

    url: str


class ImagePart(BaseModel):
    """A picture in a message."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class ChatMessage(BaseModel):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """What it says."""
        parts = self.content or ""
        if isinstance(parts, str):
            return parts
        return "\n".join(part.text for part in parts if isinstance(part, TextPart))

    @property
    def images(self) -> tuple[Image, ...]:
        """What it shows.

        Raises:
            CallError: ``InvalidRequest``.
        """
        parts = self.content if isinstance(self.content, list) else []
        return tuple(_image(part.image_url.url) for part in parts if isinstance(part, ImagePart))


class StreamOptions(BaseModel):
    """What a stream brings along."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """A conversation that an agent is to go on with. Further fields, such as the temperature, are passed over."""

    model: str
    """The agent's name."""
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    user: str = DEFAULT_USER
    """Whose memories may be used; never an identity."""
    session_id: str | None = None
    """The conversation, for an agent that remembers."""

    def message(self, *, remembered: bool) -> Message:
        """What the agent is asked: the user's message, after all that was said before it unless it is remembered.

        Raises:
            CallError: ``InvalidRequest``: the user does not have the last word.
        """
        *before, latest = self.messages
        if latest.role != "user":
            raise CallError(
                "InvalidRequest", f"messages: the last one must be the user's, not of role {latest.role!r}", status=400
            )
        said = [] if remembered else [f"{each.role}: {each.text}" for each in before if each.text]
        parts = (["What was said before:", *said, "Now the user says:"] if said else []) + [latest.text]
        return Message("user", "\n".join(parts), images=latest.images)


def read_chat_request(body: object) -> ChatRequest:
    """The request that a JSON body holds.

    Raises:
        CallError: ``InvalidRequest``; names each field that is wrong.
    """
    try:
        return ChatRequest.model_validate(body)
    except ValidationError as error:
        raise CallError(
            "InvalidRequest",
            "; ".join(explain(error)),
            hint="send what POST /v1/chat/completions of OpenAI's API takes",
            status=400,
        ) from None


def error_body(error: IsekError) -> dict[str, Any]:
    """The error as OpenAI's clients read it."""
    kind = (
        "rate_limit_error" if error.status == 429 else "invalid_request_error" if error.status < 500 else "server_error"
    )
    message = f"{error.message}; {error.hint}" if error.hint else error.message
    return {"error": {"message": message, "type": kind, "param": None, "code": error.code}}


def usage_body(usage: Usage) -> dict[str, int]:
    """The tokens of all calls of models in a run."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }


def step_body(event: Event) -> dict[str, Any]:
    """A step: ``step`` is the event's name, the rest its fields."""
    fields = {each.name: getattr(event, each.name) for each in dataclasses.fields(event)}
    if isinstance(event, RunEnded):
        result = fields.pop("result")
        fields |= {"exit": result.exit.value, "error": result.errors[0].code if result.failed else None}
    if isinstance(event, ModelReplied):
        fields["usage"] = None if event.usage is None else usage_body(event.usage)
    return {"step": type(event).__name__} | {to_camel(name): value for name, value in fields.items()}


def _image(url: str) -> Image:
    if not url.startswith("data:"):
        return Image(url=url)
    kind, _, content = url.removeprefix("data:").partition(";base64,")
    try:
        return Image(content=base64.b64decode(content, validate=True), media_type=kind)
    except binascii.Error:
        raise CallError("InvalidRequest", "messages: an image_url is not base64", status=400) from None
