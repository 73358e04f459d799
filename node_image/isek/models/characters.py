"""How much memory conversations take that are kept for callers, who choose all that stands in them."""

from collections.abc import Iterable

from isek.models.base import Message

OVERHEAD = 200
"""Of each message, call and picture, about: many that say nothing take memory as well."""


def characters_of(said: Iterable[Message]) -> int:
    """How large a conversation is."""
    return sum(
        OVERHEAD
        + len(message.content)
        + len(message.tool_call_id)
        + sum(OVERHEAD + len(call.id) + len(call.name) + len(call.arguments) for call in message.tool_calls)
        + sum(OVERHEAD + len(image.url) + len(image.content) + len(image.media_type) for image in message.images)
        for message in said
    )
