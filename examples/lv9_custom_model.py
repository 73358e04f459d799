"""A model of your own: a subclass with ``invoke``. This one needs no network and no key."""

from collections.abc import Sequence

from isek import IsekAgent, Message, Model, ModelReply
from isek.models.base import OutputSchema, ToolCall, ToolSchema


class KeywordModel(Model):
    """Asks for the tool whose name stands in the message, and answers with what the tool said."""

    name = "keyword"

    async def invoke(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> ModelReply:
        """One reply to the conversation so far."""
        latest = messages[-1]
        if latest.role == "tool":
            return ModelReply(text=f"The tool says: {latest.content}")
        for tool in tools:
            if tool.name in latest.content:
                return ModelReply(tool_calls=(ToolCall("call-1", tool.name, "{}"),))
        return ModelReply(text="I know the words " + ", ".join(tool.name for tool in tools))


def dice() -> int:
    """A number that was drawn by lot."""
    return 4


agent = IsekAgent(name="croupier", model=KeywordModel(), tools=[dice])

if __name__ == "__main__":
    agent.print_response("hello")
    agent.print_response("roll the dice")
