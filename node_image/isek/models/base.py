"""The interface of a language model: a conversation in, one reply out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class ToolCall:
    """A tool call that a model asks for."""

    id: str
    """Ties the tool's answer to the call."""
    name: str
    arguments: str
    """JSON as the model wrote it; it need not be valid."""


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    """What an assistant message asks for."""
    tool_call_id: str = ""
    """The call that a tool message answers."""


@dataclass(frozen=True)
class ToolSchema:
    """A tool as a model gets to know it."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON schema of the arguments, an object."""


@dataclass(frozen=True)
class Usage:
    """Tokens of one call, as the provider counts them."""

    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Both together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class ModelReply:
    """What a model said: an answer, or the tool calls it wants first."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()


class Model(ABC):
    """A language model. It holds no conversation: the same object serves any number of runs at a time."""

    @abstractmethod
    async def invoke(self, messages: Sequence[Message], tools: Sequence[ToolSchema] = ()) -> ModelReply:
        """The reply to the conversation so far.

        Raises:
            RunError: ``ModelError``, ``ModelTimeout``, ``ModelRateLimited`` or ``ModelAuthenticationFailed``.
        """

    async def aclose(self) -> None:  # noqa: B027  (most models hold nothing open)
        """Let go of connections."""


def latest_input(messages: Sequence[Message]) -> str:
    """The user's latest message: what the run began with."""
    return next((message.content for message in reversed(messages) if message.role == "user"), "")
