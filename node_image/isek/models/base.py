"""The interface of a language model: a conversation in, one reply out."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from isek.models.errors import ModelContextTooLong

BYTES_A_TOKEN = 4
MESSAGE_TOKENS = 4
"""For what surrounds a message."""
TOKENS_A_PICTURE = 1_000
"""About: providers count by its size in pixels, from some hundred to two thousand."""


@dataclass(frozen=True)
class ToolCall:
    """A tool call that a model asks for."""

    id: str
    """Ties the tool's answer to the call."""
    name: str
    """The tool's."""
    arguments: str
    """JSON as the model wrote it; it need not be valid."""


@dataclass(frozen=True)
class Image:
    """A picture that goes with a message: its content, or where it is."""

    url: str = ""
    """``https://…``; empty beside ``content``."""
    content: bytes = b""
    """The file as it is; empty beside ``url``."""
    media_type: str = "image/png"
    """Of ``content``."""


@dataclass(frozen=True)
class Reasoning:
    """What a model has thought, for its own eyes: it gets it back with the conversation."""

    model: str
    """Whose it is."""
    items: tuple[dict[str, Any], ...]
    """In the form of its provider."""


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    """Who says it."""
    content: str = ""
    """Its text."""
    tool_calls: tuple[ToolCall, ...] = ()
    """What an assistant message asks for."""
    tool_call_id: str = ""
    """The call that a tool message answers."""
    images: tuple[Image, ...] = ()
    """What a user message shows."""
    reasoning: Reasoning | None = None
    """What went before an assistant message."""


@dataclass(frozen=True)
class ToolSchema:
    """A tool as a model gets to know it."""

    name: str
    """That the model calls it by."""
    description: str
    """What it is good for."""
    parameters: dict[str, Any]
    """JSON schema of the arguments, an object."""


@dataclass(frozen=True)
class OutputSchema:
    """The form that an answer has to have."""

    name: str
    """For the provider."""
    schema: dict[str, Any]
    """JSON schema."""


@dataclass(frozen=True)
class Usage:
    """Tokens of one call, as the provider counts them."""

    input_tokens: int = 0
    """Of the conversation."""
    output_tokens: int = 0
    """Of the reply."""

    @property
    def total_tokens(self) -> int:
        """Both together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class ModelReply:
    """What a model said: an answer, or the tool calls it wants first."""

    text: str = ""
    """The answer, or what is said beside the calls."""
    tool_calls: tuple[ToolCall, ...] = ()
    """The tools that it wants, in order; empty: it is done."""
    usage: Usage = Usage()
    """Tokens, as the provider counts them."""
    reasoning: Reasoning | None = None
    """What the model wants to see again while its run goes on."""


class Model(ABC):
    """A language model. It holds no conversation: the same object serves any number of runs at a time.

    A model of one's own is a subclass with ``invoke``; the rest has a default.
    """

    name: str = ""
    """What its provider calls it."""
    context_window: int | None = None
    """Tokens that a conversation may have; None: not known."""
    timeout_seconds: float | None = None
    """How long one try may take; None: not known."""

    @abstractmethod
    async def invoke(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> ModelReply:
        """The reply to the conversation so far, in the form ``output`` if one is asked for.

        Raises:
            ModelError: there is none.
        """

    async def invoke_streaming(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> AsyncGenerator[str | ModelReply]:
        """The reply's text as it comes, piece by piece; the whole reply last.

        Raises:
            ModelError: there is none, or it broke off.
        """
        reply = await self.invoke(messages, tools, output=output)
        if reply.text:
            yield reply.text
        yield reply

    def count_tokens(self, messages: Sequence[Message], tools: Sequence[ToolSchema] = ()) -> int:
        """How many tokens a conversation has, about: four bytes are one, a picture is a thousand.

        The exact number comes with the reply.
        """
        size = sum(_size(message) for message in messages)
        described = sum(_bytes(tool.description) + _bytes(str(tool.parameters)) for tool in tools)
        return (size + described) // BYTES_A_TOKEN + MESSAGE_TOKENS * len(messages)

    def check_fits(self, messages: Sequence[Message], tools: Sequence[ToolSchema] = ()) -> None:
        """Refuse a conversation that is longer than the context window, before it is sent.

        Raises:
            ModelContextTooLong: it is, as far as can be told before.
        """
        if self.context_window is None:
            return
        tokens = self.count_tokens(messages, tools)
        if tokens > self.context_window:
            raise ModelContextTooLong(
                f"the conversation has about {tokens} tokens, and model {self.name or type(self).__name__} takes "
                f"{self.context_window}",
                hint="say less at once, or take a model with a larger context",
            )

    async def aclose(self) -> None:  # noqa: B027  (most models hold nothing open)
        """Let go of connections."""


def _size(message: Message) -> int:
    """Bytes of text, pictures in what they are worth."""
    calls = sum(_bytes(call.name) + _bytes(call.arguments) for call in message.tool_calls)
    return _bytes(message.content) + calls + TOKENS_A_PICTURE * BYTES_A_TOKEN * len(message.images)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def counted(reply: ModelReply, model: Model, messages: Sequence[Message], tools: Sequence[ToolSchema]) -> ModelReply:
    """The reply; where its provider did not count the tokens, they are estimated."""
    if reply.usage.total_tokens:
        return reply
    said = Message("assistant", reply.text, reply.tool_calls)
    return replace(reply, usage=Usage(model.count_tokens(messages, tools), model.count_tokens([said])))


def latest_input(messages: Sequence[Message]) -> str:
    """The user's latest message: what the run began with."""
    return next((message.content for message in reversed(messages) if message.role == "user"), "")
