"""Messages as rows, and back."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from isek.models.base import Image, Message, ToolCall

MAX_KEY = 255
"""Characters of an id that are kept as they are: longer ones do not fit into an index."""


def storable(text: str) -> str:
    """The text without what no database takes: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def key(text: str) -> str:
    """An id as it is stored. Users choose theirs, so it may be of any length."""
    return storable(text) if len(text) <= MAX_KEY else hashlib.sha256(text.encode(errors="replace")).hexdigest()


def to_row(message: Message) -> dict[str, Any]:
    """The columns of a message."""
    return {
        "role": message.role,
        "content": storable(message.content),
        "tool_call_id": storable(message.tool_call_id),
        "tool_calls": [
            [storable(each) for each in (call.id, call.name, call.arguments)] for call in message.tool_calls
        ],
        "images": [
            [storable(image.url), base64.b64encode(image.content).decode(), image.media_type]
            for image in message.images
        ],
    }


def from_row(row: Mapping[str, Any]) -> Message:
    """The message that the columns stand for."""
    return Message(
        row["role"],
        row["content"],
        tool_calls=tuple(ToolCall(*each) for each in row["tool_calls"]),
        tool_call_id=row["tool_call_id"],
        images=tuple(Image(url, base64.b64decode(content), kind) for url, content, kind in row["images"]),
    )
