"""Chat completions on the wire (https://platform.openai.com/docs/api-reference/chat)."""

import base64
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from isek.models.base import Image, Message, ModelReply, OutputSchema, ToolCall, ToolSchema, Usage


class _Function(BaseModel):
    name: str
    arguments: str


class _Call(BaseModel):
    id: str
    function: _Function


class _Said(BaseModel):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Said
    finish_reason: str | None = None


class _Used(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def usage(self) -> Usage:
        return Usage(self.prompt_tokens, self.completion_tokens)


class Completion(BaseModel):
    """What is read of an answer. The client's own types take whatever comes, and break where it is used."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Used | None = None

    @property
    def refusal(self) -> str | None:
        """Why there is no answer, when it was refused."""
        choice = self.choices[0]
        return choice.message.refusal or ("its filter" if choice.finish_reason == "content_filter" else None)

    def reply(self) -> ModelReply:
        """The answer."""
        said = self.choices[0].message
        return ModelReply(
            text=said.content or "",
            tool_calls=tuple(
                ToolCall(call.id, call.function.name, call.function.arguments) for call in said.tool_calls or ()
            ),
            usage=(self.usage or _Used()).usage(),
        )


class _FunctionDelta(BaseModel):
    name: str | None = None
    arguments: str | None = None


class _CallDelta(BaseModel):
    index: int = 0
    id: str | None = None
    function: _FunctionDelta = _FunctionDelta()


class _Delta(BaseModel):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_CallDelta] | None = None


class _DeltaChoice(BaseModel):
    delta: _Delta = _Delta()
    finish_reason: str | None = None


class Chunk(BaseModel):
    """One event of a streamed answer."""

    choices: list[_DeltaChoice] = []
    usage: _Used | None = None


class Gathering:
    """Puts the chunks of a streamed answer together."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._usage: Usage | None = None
        self._finish: str | None = None

    def take(self, chunk: Chunk) -> str:
        """The text that ``chunk`` adds."""
        if chunk.usage is not None:
            self._usage = chunk.usage.usage()
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        self._finish = choice.finish_reason or self._finish
        self._refusal.append(choice.delta.refusal or "")
        for part in choice.delta.tool_calls or ():
            call = self._calls.setdefault(part.index, _Call(id="", function=_Function(name="", arguments="")))
            call.id = part.id or call.id
            call.function.name = part.function.name or call.function.name
            call.function.arguments += part.function.arguments or ""
        text = choice.delta.content or ""
        self._text.append(text)
        return text

    @property
    def complete(self) -> bool:
        """Whether the end has been seen."""
        return self._finish is not None

    @property
    def refusal(self) -> str | None:
        """Why there is no answer, when it was refused."""
        return "".join(self._refusal) or ("its filter" if self._finish == "content_filter" else None)

    def reply(self, estimate: Usage) -> ModelReply:
        """The whole answer; ``estimate`` counts its tokens where the endpoint does not."""
        calls = [self._calls[index] for index in sorted(self._calls)]
        return ModelReply(
            text="".join(self._text),
            tool_calls=tuple(ToolCall(call.id, call.function.name, call.function.arguments) for call in calls),
            usage=self._usage or estimate,
        )

    @property
    def text(self) -> str:
        """What was said so far."""
        return "".join(self._text)


def request(
    model: str, messages: Sequence[Message], tools: Sequence[ToolSchema], output: OutputSchema | None
) -> dict[str, Any]:
    """The body of a request."""
    body: dict[str, Any] = {"model": model, "messages": [_message(each) for each in messages]}
    if tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
            }
            for tool in tools
        ]
    if output is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": output.name, "schema": output.schema},
        }
    return body


def _message(message: Message) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.tool_calls:
        wire["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.role == "tool":
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not message.images:
        return message.content
    shown = [{"type": "image_url", "image_url": {"url": _url(image)}} for image in message.images]
    return [{"type": "text", "text": message.content}, *shown]


def _url(image: Image) -> str:
    if image.url:
        return image.url
    return f"data:{image.media_type};base64,{base64.b64encode(image.content).decode()}"
