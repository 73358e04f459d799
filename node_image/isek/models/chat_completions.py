"""Chat completions on the wire (https://platform.openai.com/docs/api-reference/chat)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from isek.models.base import Message, ModelReply, OutputSchema, ToolCall, ToolSchema, Usage
from isek.models.wire import Gathering, Wire, image_url

FILTERED = "its filter"
CUT_OFF = "length"


class _Function(BaseModel):
    name: str
    arguments: str


class _Call(BaseModel):
    id: str
    function: _Function

    def tool_call(self) -> ToolCall:
        return ToolCall(self.id, self.function.name, self.function.arguments)


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


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Used | None = None


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


class _Chunk(BaseModel):
    choices: list[_DeltaChoice] = []
    usage: _Used | None = None


class ChatCompletions(Wire):
    """What every endpoint has that is compatible with OpenAI's."""

    path = "/chat/completions"
    streamed: ClassVar = {"stream": True, "stream_options": {"include_usage": True}}
    form = "chat completion"

    def request(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema], output: OutputSchema | None
    ) -> dict[str, Any]:
        """The body of a request."""
        body: dict[str, Any] = {"model": self.model, "messages": [_message(each) for each in messages]}
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

    def reply(self, answer: bytes | Mapping[str, Any]) -> ModelReply:
        """The reply that a chat completion holds."""
        completion = self.read(_Completion, answer)
        choice = completion.choices[0]
        said = choice.message
        if said.refusal or choice.finish_reason == "content_filter":
            raise self.refused(said.refusal or FILTERED)
        if choice.finish_reason == CUT_OFF:
            raise self.cut_off()
        calls = tuple(call.tool_call() for call in said.tool_calls or ())
        return ModelReply(said.content or "", calls, (completion.usage or _Used()).usage())

    def gathering(self) -> Gathering:
        """What puts the chunks together."""
        return _Chunks(self)


class _Chunks(Gathering):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls: list[_Call] = []
        self._latest: dict[int, _Call] = {}
        """The calls that further parts belong to, by their index."""
        self._usage = Usage()
        self._finish: str | None = None

    def take(self, event: Any) -> str:
        chunk = self._wire.read(_Chunk, event)
        if chunk.usage is not None:
            self._usage = chunk.usage.usage()
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        self._finish = choice.finish_reason or self._finish
        self._refusal.append(choice.delta.refusal or "")
        for part in choice.delta.tool_calls or ():
            call = self._latest.get(part.index)
            if call is None or (part.id and call.id and part.id != call.id):  # some endpoints give all the index 0
                call = self._latest[part.index] = _Call(id="", function=_Function(name="", arguments=""))
                self._calls.append(call)
            call.id = part.id or call.id
            call.function.name = part.function.name or call.function.name
            call.function.arguments += part.function.arguments or ""
        text = choice.delta.content or ""
        self._text.append(text)
        return text

    def reply(self) -> ModelReply | None:
        if self._finish is None:
            return None
        if self._finish == CUT_OFF:
            raise self._wire.cut_off()
        if (refusal := "".join(self._refusal)) or self._finish == "content_filter":
            raise self._wire.refused(refusal or FILTERED)
        calls = tuple(call.tool_call() for call in self._calls)
        return ModelReply("".join(self._text), calls, self._usage)


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
    shown = [{"type": "image_url", "image_url": {"url": image_url(image)}} for image in message.images]
    return [{"type": "text", "text": message.content}, *shown]
