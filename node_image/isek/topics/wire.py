"""Messages as JSON: from node to node, and to whoever asks over HTTP."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from isek.asking import MAX_CALL_DEPTH
from isek.errors import CallError
from isek.topics.message import Priority, TopicMessage, check_topic, encode

PriorityName = Literal["Low", "Normal", "High", "Urgent"]

NAMES: dict[Priority, PriorityName] = {
    Priority.LOW: "Low",
    Priority.NORMAL: "Normal",
    Priority.HIGH: "High",
    Priority.URGENT: "Urgent",
}
PRIORITIES = {name: priority for priority, name in NAMES.items()}

M = TypeVar("M", bound=BaseModel)


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class WireMessage(_Wire):
    """One message."""

    id: Annotated[str, Field(min_length=1, max_length=64)]
    topic: str
    payload: Any
    sender: Annotated[str, Field(max_length=320)]
    priority: PriorityName = "Normal"
    published_at: Annotated[str, Field(max_length=40)]
    depth: Annotated[int, Field(ge=0, le=MAX_CALL_DEPTH)] = 0
    traceparent: Annotated[str | None, Field(max_length=64)] = None

    @classmethod
    def of(cls, message: TopicMessage) -> "WireMessage":
        """The message as it goes out."""
        return WireMessage(
            id=message.id,
            topic=message.topic,
            payload=message.payload,
            sender=message.sender,
            priority=NAMES[message.priority],
            published_at=message.published_at,
            depth=message.depth,
            traceparent=message.traceparent,
        )

    def message(self) -> TopicMessage:
        """The message as it came in.

        Raises:
            CallError: ``InvalidRequest``, ``BodyTooLarge``.
        """
        return TopicMessage(
            id=self.id,
            topic=check_topic(self.topic, everybody=True),
            body=encode(self.payload),
            sender=self.sender,
            priority=PRIORITIES[self.priority],
            published_at=self.published_at,
            depth=self.depth,
            traceparent=self.traceparent,
        )


class HandedOver(WireMessage):
    """One message, and whom on the other node it is for."""

    to: Annotated[tuple[str, ...], Field(min_length=1, fail_fast=True)]


class HandOver(_Wire):
    """What one node hands over to another."""

    messages: Annotated[tuple[HandedOver, ...], Field(fail_fast=True)]


class Refused(_Wire):
    """By message id who did not get theirs, and why."""

    refused: dict[str, dict[str, str]] = {}


class HistoryRequest(_Wire):
    """What one node asks another about the past."""

    topic: str
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class Messages(_Wire):
    """Messages, the oldest first."""

    messages: Annotated[list[WireMessage], Field(fail_fast=True)]


def read(model: type[M], body: bytes) -> M:
    """What a JSON body says.

    Raises:
        CallError: ``InvalidRequest``; names the field that is wrong.
    """
    try:
        return model.model_validate(from_json(body))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except ValueError as error:
        reason = f"the body is not JSON: {error}"
    raise CallError("InvalidRequest", reason, status=400)


def written(model: BaseModel) -> bytes:
    """The JSON body that says this."""
    return model.model_dump_json(by_alias=True, exclude_none=True).encode()
