"""Any endpoint that speaks the OpenAI API, through the official client."""

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import openai
from pydantic import BaseModel, Field, ValidationError

from isek.errors import RunError
from isek.models.base import Message, Model, ModelReply, OutputSchema, ToolCall, ToolSchema, Usage

API_KEY_VARIABLE = "OPENAI_API_KEY"


class _Function(BaseModel):
    name: str
    arguments: str


class _Call(BaseModel):
    id: str
    function: _Function


class _Said(BaseModel):
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Said


class _Used(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(BaseModel):
    """What is read of an answer. The client's own types take whatever comes, and break where it is used."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Used | None = None


class OpenAIModel(Model):
    """Chat completions (https://platform.openai.com/docs/api-reference/chat).

    The client tries again after connection errors, timeouts and the statuses 408, 409, 429 and 5xx, with growing pauses
    or after what ``Retry-After`` asks for.

    Args:
        name: the model's name at the endpoint.
        base_url: the endpoint; default: OpenAI's own.
        api_key: reads the key; asked before each request, so that a new key needs no restart.
        parameters: sent along as they are, such as ``temperature``.
        timeout_seconds: for one try.
        max_retries: further tries.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key: Callable[[], Awaitable[str]] | None = None,
        parameters: dict[str, Any] | None = None,
        timeout_seconds: float = 60,
        max_retries: int = 4,
    ) -> None:
        self._name = name
        self._parameters = parameters or {}
        self._timeout_seconds = timeout_seconds
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key or _key_from_environment(own_endpoint=base_url is not None),
            timeout=timeout_seconds,
            max_retries=max_retries,
        )

    async def invoke(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> ModelReply:
        """One chat completion."""
        request: dict[str, Any] = {"model": self._name, "messages": [_to_wire(message) for message in messages]}
        if tools:
            request["tools"] = [
                {
                    "type": "function",
                    "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
                }
                for tool in tools
            ]
        try:
            answer = await self._client.chat.completions.with_raw_response.create(
                **request, extra_body=self._parameters
            )
        except openai.APITimeoutError:
            raise RunError(
                "ModelTimeout",
                f"model {self._name} did not answer within {self._timeout_seconds:g} s",
                hint="raise model.timeoutSeconds, or look at the endpoint",
                status=504,
            ) from None
        except openai.APIStatusError as error:
            raise self._refused(error) from None
        except openai.OpenAIError as error:
            raise RunError(
                "ModelError",
                f"model {self._name} cannot be reached: {error}",
                hint="check model.baseURL and the network",
                status=502,
            ) from None
        return self._reply(answer.content)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _refused(self, error: openai.APIStatusError) -> RunError:
        message = f"model {self._name} answered {error.status_code}: {_reason(error)}"
        if error.status_code in {401, 403}:
            return RunError(
                "ModelAuthenticationFailed",
                f"model {self._name} answered {error.status_code}: the API key is not accepted",
                hint="check the Secret that model.apiKey names",
                status=502,
            )
        if error.status_code == 429:
            return RunError(
                "ModelRateLimited", message, hint="ask less often, or raise the limits at the provider", status=502
            )
        return RunError("ModelError", message, hint="check model.name and model.parameters", status=502)

    def _reply(self, answer: bytes) -> ModelReply:
        try:
            completion = _Completion.model_validate_json(answer)
        except ValidationError:
            raise RunError(
                "ModelError",
                f"model {self._name} sent an answer that is no chat completion",
                hint="is model.baseURL an OpenAI-compatible endpoint?",
                status=502,
            ) from None
        said, used = completion.choices[0].message, completion.usage or _Used()
        return ModelReply(
            text=said.content or "",
            tool_calls=tuple(
                ToolCall(call.id, call.function.name, call.function.arguments) for call in said.tool_calls or ()
            ),
            usage=Usage(used.prompt_tokens, used.completion_tokens),
        )


def _to_wire(message: Message) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        wire["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.role == "tool":
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _reason(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return str(body["message"])
    return error.response.reason_phrase


def _key_from_environment(*, own_endpoint: bool) -> Callable[[], Awaitable[str]]:
    async def read() -> str:
        key = os.environ.get(API_KEY_VARIABLE, "")
        if not key and own_endpoint:
            return "none"  # endpoints of one's own often take no key, but the client does
        if not key:
            raise RunError(
                "ModelAuthenticationFailed",
                "there is no API key",
                hint=f"set model.apiKey, or {API_KEY_VARIABLE} in the environment",
                status=502,
            )
        return key

    return read
