"""The tools by which an agent remembers what it learns of a user."""

from typing import Any

from isek.asking import CallContext
from isek.memory.memory import Memory
from isek.models.base import ToolSchema
from isek.tools.base import Tool, ToolError, text_argument

MAX_CHARACTERS = 1000


def _schema(name: str, description: str, fact: str) -> ToolSchema:
    parameters = {
        "type": "object",
        "properties": {"fact": {"type": "string", "description": fact}},
        "required": ["fact"],
        "additionalProperties": False,
    }
    return ToolSchema(name, description, parameters)


class RememberTool(Tool):
    """Keeps a fact about the user whose message is worked on."""

    schema = _schema(
        "remember",
        "Remember a lasting fact about the user, for later conversations, too. No passwords or keys.",
        "the fact, in one sentence",
    )

    def __init__(self, memory: Memory, agent_id: str) -> None:
        self._memory, self._agent_id = memory, agent_id

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """Remember the fact."""
        fact = " ".join(text_argument(arguments, "fact").split())
        if not 0 < len(fact) <= MAX_CHARACTERS:
            raise ToolError(f"a fact has 1 to {MAX_CHARACTERS} characters; this one has {len(fact)}")
        try:
            await self._memory.add_user_memory(self._agent_id, fact, context.user_id)
        except ValueError as error:
            raise ToolError(str(error)) from None
        return "remembered"


class ForgetTool(Tool):
    """Forgets a fact about the user whose message is worked on."""

    schema = _schema("forget", "Forget a fact about the user that you have remembered.", "the fact, as you know it")

    def __init__(self, memory: Memory, agent_id: str) -> None:
        self._memory, self._agent_id = memory, agent_id

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """Forget the fact."""
        fact = " ".join(text_argument(arguments, "fact").split()).casefold()
        known = await self._memory.user_memories(self._agent_id, context.user_id)
        for memory in known:
            if memory.text.casefold() == fact:
                await self._memory.remove_user_memory(self._agent_id, memory.id, context.user_id)
                return "forgotten"
        raise ToolError(f"no such fact is remembered; there are: {'; '.join(each.text for each in known) or 'none'}")


def memory_tools(memory: Memory | None, agent_id: str) -> tuple[Tool, ...]:
    """What an agent with this memory may call."""
    if memory is None or not memory.remembers_users:
        return ()
    return (RememberTool(memory, agent_id), ForgetTool(memory, agent_id))
