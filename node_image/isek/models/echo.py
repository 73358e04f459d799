"""A model that answers with its input."""

from collections.abc import Sequence

from isek.models.base import Message, Model, ModelReply, OutputSchema, ToolSchema, latest_input


class EchoModel(Model):
    """Answers with the message that the run began with."""

    async def invoke(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> ModelReply:
        """The user's latest message."""
        return ModelReply(text=latest_input(messages))
