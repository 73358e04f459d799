"""A model whose replies a test chooses, and which keeps what it was asked."""

from collections.abc import Sequence

from isek import Model, ModelReply
from isek.models.base import Message, OutputSchema, ToolCall, ToolSchema, Usage


class RecordingModel(Model):
    """Hands out replies, one a call: what is text becomes an answer."""

    def __init__(self, *replies: ModelReply | str) -> None:
        self._replies = [ModelReply(reply) if isinstance(reply, str) else reply for reply in replies]
        self.conversations: list[list[Message]] = []
        self.offered: list[str] = []
        """The tools of the latest call."""
        self.output: OutputSchema | None = None
        """The form asked for in the latest call."""

    async def invoke(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> ModelReply:
        self.conversations.append(list(messages))
        self.offered = [tool.name for tool in tools]
        self.output = output
        return self._replies.pop(0)


def calls(*named: tuple[str, str], tokens: int = 0) -> ModelReply:
    """A reply that calls tools, by their names and arguments."""
    return ModelReply(
        tool_calls=tuple(ToolCall(f"c{number}", name, arguments) for number, (name, arguments) in enumerate(named)),
        usage=Usage(tokens, 0),
    )
