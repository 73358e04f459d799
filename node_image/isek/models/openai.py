"""Any endpoint that speaks the OpenAI API, through the official client."""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import openai
from openai.types.chat import ChatCompletionChunk
from pydantic import ValidationError

from isek.models.base import Message, Model, ModelReply, OutputSchema, ToolSchema, Usage
from isek.models.errors import (
    ModelAuthenticationFailed,
    ModelContextTooLong,
    ModelError,
    ModelRateLimited,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
)
from isek.models.openai_wire import Chunk, Completion, Gathering, request

PATH = "/chat/completions"
"""Posted to directly: the client's own method walks over the whole conversation first."""
API_KEY_VARIABLE = "OPENAI_API_KEY"
BASE_URL_VARIABLE = "OPENAI_BASE_URL"
CONTEXT_TOO_LONG = {"context_length_exceeded", "string_above_max_length"}
"""What the endpoint's errors say of a conversation that is too long."""


class OpenAIModel(Model):
    """Chat completions (https://platform.openai.com/docs/api-reference/chat).

    The client tries again after connection errors, timeouts and the statuses 408, 409, 429 and 5xx, with growing pauses
    or after what ``Retry-After`` asks for. A streamed answer that has begun is not asked for again.

    Args:
        name: the model's name at the endpoint.
        base_url: the endpoint; default: ``OPENAI_BASE_URL`` of the environment, else OpenAI's own.
        api_key: the key, or what reads it: asked before each request, so that a new key needs no restart.
        parameters: sent along as they are, such as ``temperature``.
        timeout_seconds: for one try.
        max_retries: further tries.
        context_window: tokens that a conversation may have; None: not known.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key: str | Callable[[], Awaitable[str]] | None = None,
        parameters: dict[str, Any] | None = None,
        timeout_seconds: float = 60,
        max_retries: int = 4,
        context_window: int | None = None,
    ) -> None:
        self.name = name
        self.context_window = context_window
        self._parameters = parameters or {}
        self._timeout_seconds = timeout_seconds
        base_url = base_url or os.environ.get(BASE_URL_VARIABLE) or None
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
        with self._errors():
            answer = await self._client.post(PATH, cast_to=bytes, body=self._body(messages, tools, output))
        try:
            completion = Completion.model_validate_json(answer)
        except ValidationError:
            raise self._nonsense() from None
        self._raise_if_refused(completion.refusal)
        return completion.reply()

    async def invoke_streaming(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> AsyncGenerator[str | ModelReply]:
        """One chat completion, piece by piece."""
        answer = Gathering()
        with self._errors():
            stream = await self._client.post(
                PATH,
                cast_to=ChatCompletionChunk,
                body={"stream": True, "stream_options": {"include_usage": True}} | self._body(messages, tools, output),
                stream=True,
                stream_cls=openai.AsyncStream[ChatCompletionChunk],
            )
            async with stream:
                async for event in stream:
                    if text := answer.take(self._chunk(event)):
                        yield text
        if not answer.complete:
            raise ModelUnavailable(f"the answer of model {self.name} broke off", hint="ask again")
        self._raise_if_refused(answer.refusal)
        said = Message("assistant", answer.text)
        yield answer.reply(Usage(self.count_tokens(messages, tools), self.count_tokens([said])))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _body(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema], output: OutputSchema | None
    ) -> dict[str, Any]:
        return {**request(self.name, messages, tools, output), **self._parameters}

    def _chunk(self, event: Any) -> Chunk:
        try:
            return Chunk.model_validate(event.model_dump(warnings=False))
        except (AttributeError, ValidationError):
            raise self._nonsense() from None

    def _nonsense(self) -> ModelError:
        return ModelError(
            f"model {self.name} sent an answer that is no chat completion",
            hint="is model.baseURL an OpenAI-compatible endpoint?",
        )

    def _raise_if_refused(self, refusal: str | None) -> None:
        if refusal:
            raise ModelRefused(f"model {self.name} does not answer this: {refusal}", hint="ask for something else")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What the client raises, as errors of models."""
        try:
            yield
        except openai.APITimeoutError:
            raise ModelTimeout(
                f"model {self.name} did not answer within {self._timeout_seconds:g} s",
                hint="raise model.timeoutSeconds, or look at the endpoint",
            ) from None
        except openai.APIStatusError as error:
            raise self._refused(error) from None
        except (openai.APIResponseValidationError, ValueError):
            raise self._nonsense() from None
        except openai.OpenAIError as error:
            raise ModelUnavailable(
                f"model {self.name} cannot be reached: {error}", hint="check model.baseURL and the network"
            ) from None

    def _refused(self, error: openai.APIStatusError) -> ModelError:
        message = f"model {self.name} answered {error.status_code}: {_reason(error)}"
        if error.status_code in {401, 403}:
            return ModelAuthenticationFailed(
                f"model {self.name} answered {error.status_code}: the API key is not accepted",
                hint="check the Secret that model.apiKey names",
            )
        if error.status_code == 429:
            return ModelRateLimited(message, hint="ask less often, or raise the limits at the provider")
        if error.status_code >= 500 or error.status_code == 408:
            return ModelUnavailable(message, hint="ask again later, or look at the endpoint")
        if error.code in CONTEXT_TOO_LONG:
            return ModelContextTooLong(message, hint="say less at once, or take a model with a larger context")
        if error.code == "content_filter":
            return ModelRefused(message, hint="ask for something else")
        return ModelError(message, hint="check model.name and model.parameters")


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
            raise ModelAuthenticationFailed(
                "there is no API key", hint=f"set model.apiKey, or {API_KEY_VARIABLE} in the environment"
            )
        return key

    return read
