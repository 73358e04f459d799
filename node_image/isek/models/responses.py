"""Responses on the wire (https://platform.openai.com/docs/api-reference/responses).

The endpoint keeps nothing (``store: false``): each request carries the whole conversation, what the model has thought
between its calls of tools among it, encrypted by its provider.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from isek.models.base import Message, ModelReply, OutputSchema, Reasoning, ToolCall, ToolSchema, Usage
from isek.models.errors import ModelError, ModelRateLimited, ModelUnavailable
from isek.models.wire import Gathering, Wire, image_url

REFUSALS = {"bio_policy", "image_content_policy_violation", "misalignment_policy_violation"}
"""Codes of failures by which a provider's filter speaks."""


class _Part(BaseModel):
    text: str = ""
    refusal: str = ""


class _Item(BaseModel):
    """Of the kinds that there are, those that are read: message, function_call, reasoning."""

    type: str
    content: list[_Part] | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = ""


class _Failure(BaseModel):
    code: str | None = None
    message: str = ""


class _Incomplete(BaseModel):
    reason: str | None = None


class _Used(BaseModel):
    input_tokens: int = 0
    output_tokens: int = 0


class _Response(BaseModel):
    output: list[dict[str, Any]]
    error: _Failure | None = None
    incomplete_details: _Incomplete | None = None
    usage: _Used | None = None


class _Event(BaseModel):
    type: str
    delta: Any = None
    response: dict[str, Any] | None = None


class Responses(Wire):
    """What OpenAI has, and a growing number of endpoints."""

    path = "/responses"
    streamed: ClassVar = {"stream": True}
    form = "response of the Responses API"

    def request(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema], output: OutputSchema | None
    ) -> dict[str, Any]:
        """The body of a request."""
        body: dict[str, Any] = {
            "model": self.model,
            "input": [item for message in messages for item in self._items(message)],
            "store": False,
        }
        if tools:
            body["tools"] = [
                {
                    "type": "function",
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                    "strict": False,  # else only a part of JSON schema is taken
                }
                for tool in tools
            ]
        if output is not None:
            body["text"] = {"format": {"type": "json_schema", "name": output.name, "schema": output.schema}}
        return body

    def reply(self, answer: bytes | Mapping[str, Any]) -> ModelReply:
        """The reply that a response holds."""
        return self.reply_of(self.read(_Response, answer))

    def reply_of(self, response: _Response) -> ModelReply:
        """The same, of a response that has been read.

        Raises:
            ModelError: the response tells of a failure, or makes no sense.
        """
        if response.error is not None:
            raise self.failed(response.error)
        if response.incomplete_details is not None and response.incomplete_details.reason == "content_filter":
            raise self.refused("its filter")
        if response.incomplete_details is not None and response.incomplete_details.reason == "max_output_tokens":
            raise self.cut_off()
        items = [self.read(_Item, item) for item in response.output]
        parts = [part for item in items if item.type == "message" for part in item.content or ()]
        if refusal := "".join(part.refusal for part in parts):
            raise self.refused(refusal)
        used = response.usage or _Used()
        return ModelReply(
            text="".join(part.text for part in parts),
            tool_calls=tuple(
                ToolCall(item.call_id, item.name, item.arguments) for item in items if item.type == "function_call"
            ),
            usage=Usage(used.input_tokens, used.output_tokens),
            reasoning=self._reasoning(response.output),
        )

    def gathering(self) -> Gathering:
        """What waits for the event that holds the whole response."""
        return _Events(self)

    def failed(self, failure: _Failure) -> ModelError:
        """What an endpoint tells of a failure in its answer."""
        message = f"model {self.model} failed: {failure.message or failure.code}"
        if failure.code == "rate_limit_exceeded":
            return ModelRateLimited(message, hint="ask less often, or raise the limits at the provider")
        if failure.code in REFUSALS:
            return self.refused(failure.message)
        if failure.code is None or failure.code == "server_error":
            return ModelUnavailable(message, hint="ask again later, or look at the endpoint")
        return ModelError(message, hint="check the conversation and the model's parameters")

    def _reasoning(self, output: Sequence[dict[str, Any]]) -> Reasoning | None:
        # one with neither is known by its id only, and the endpoint keeps nothing
        items = tuple(
            item
            for item in output
            if item["type"] == "reasoning" and (item.get("encrypted_content") or item.get("content"))
        )
        return Reasoning(self.model, items) if items else None

    def _items(self, message: Message) -> Iterator[dict[str, Any]]:
        if message.role == "tool":
            yield {"type": "function_call_output", "call_id": message.tool_call_id, "output": message.content}
            return
        if message.reasoning is not None and message.reasoning.model == self.model:
            yield from message.reasoning.items
        if message.content or not message.tool_calls:
            yield {"role": message.role, "content": _content(message)}
        for call in message.tool_calls:
            yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}


class _Events(Gathering):
    def __init__(self, wire: Responses) -> None:
        self._wire = wire
        self._response: _Response | None = None

    def take(self, event: Any) -> str:
        read = self._wire.read(_Event, event)
        if read.type == "error":
            raise self._wire.failed(self._wire.read(_Failure, event))
        if read.type in {"response.completed", "response.incomplete", "response.failed"}:
            self._response = self._wire.read(_Response, read.response or {})
        return read.delta if read.type == "response.output_text.delta" and isinstance(read.delta, str) else ""

    def reply(self) -> ModelReply | None:
        return None if self._response is None else self._wire.reply_of(self._response)


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not message.images:
        return message.content
    shown = [{"type": "input_image", "image_url": image_url(image)} for image in message.images]
    return [{"type": "input_text", "text": message.content}, *shown]
