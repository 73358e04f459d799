"""What is published."""

import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from isek.errors import CallError

MAX_PAYLOAD_BYTES = 64 * 1024
"""Of one message, as JSON. What is larger belongs into a store, and its address into the message."""
MAX_DEPTH = 100
"""Lists and objects within each other in a payload: parsers have limits, and what carries it is some levels deep."""
EVERYBODY = "*"
"""The topic that every subscriber hears, whatever else it listens to."""
OUTSIDE = "outside:"
"""How the senders begin that are no agents and no nodes of the mesh."""
TOPIC = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


class Priority(IntEnum):
    """Whose turn it is where several wait: the highest always comes first."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    URGENT = 3


@dataclass(frozen=True, slots=True)
class TopicMessage:
    """One message; it is the same object for all who hear it."""

    topic: str
    body: bytes
    """The payload as JSON."""
    sender: str
    """Who published it: ``<agent>.<namespace>``, the id of a node for a program, or ``OUTSIDE`` and what is known."""
    priority: Priority = Priority.NORMAL
    depth: int = 0
    """How many agents asked each other, or heard of each other, until it was published."""
    traceparent: str | None = None
    """The W3C trace in which it was published."""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    published_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    """RFC 3339, UTC."""

    @property
    def payload(self) -> Any:
        """What was published; a copy of one's own."""
        return from_json(self.body)

    @property
    def text(self) -> str:
        """What was published, for a model: a string as it is, all else as JSON."""
        payload = self.payload
        return payload if isinstance(payload, str) else self.body.decode()


def encode(payload: Any) -> bytes:
    """A payload as JSON.

    Raises:
        CallError: ``InvalidRequest``: it is none, or deeper than ``MAX_DEPTH``. ``BodyTooLarge``.
    """
    try:
        body = to_json(payload, inf_nan_mode="constants")
        from_json(b"[" * MAX_DEPTH + body + b"]" * MAX_DEPTH, allow_inf_nan=False)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise CallError("InvalidRequest", f"the payload is not JSON: {reason}", status=400) from None
    if len(body) > MAX_PAYLOAD_BYTES:
        raise CallError(
            "BodyTooLarge",
            f"the payload takes {len(body)} of {MAX_PAYLOAD_BYTES} bytes",
            hint="publish where the data is, not the data",
            status=413,
        )
    return body


def check_topic(topic: str, *, everybody: bool = False) -> str:
    """The topic, if it is one.

    Raises:
        CallError: ``InvalidRequest``.
    """
    if TOPIC.fullmatch(topic) or (everybody and topic == EVERYBODY):
        return topic
    raise CallError(
        "InvalidRequest",
        f"topic {topic[:80]!r} cannot be used",
        hint="up to 63 letters, digits, '-', '_' and '.', with a letter or a digit at both ends",
        status=400,
    )
