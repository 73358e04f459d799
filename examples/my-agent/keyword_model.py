"""A model that needs no network and no key; put an OpenAIModel in its place."""

from collections.abc import Sequence

from isek import Message, Model, ModelReply
from isek.models.base import OutputSchema, ToolCall, ToolSchema


class KeywordModel(Model):
    """Asks for the tool whose name stands in the message, and answers with what the tool said."""

    async def invoke(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> ModelReply:
        """One reply to the conversation so far."""
        latest = messages[-1]
        if latest.role == "tool":
            return ModelReply(text=f"You rolled a {latest.content}.")
        wanted = [tool.name for tool in tools if tool.name in latest.content]
        if wanted:
            return ModelReply(tool_calls=(ToolCall("call-1", wanted[0], "{}"),))
        return ModelReply(text="Say: roll the dice")
