"""Any endpoint that speaks the OpenAI API, through the official client."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

import openai

from isek.environment import BASE_URL, variable
from isek.models.api_key import GivenKey, key_of_environment, read_key
from isek.models.arguments import check_arguments
from isek.models.base import Message, Model, ModelReply, OutputSchema, ToolSchema, counted
from isek.models.chat_completions import ChatCompletions
from isek.models.errors import ModelUnavailable
from isek.models.openai_errors import as_model_errors
from isek.models.responses import Responses
from isek.models.retries import with_retries
from isek.models.wire import Wire
from isek.per_loop import PerLoop

APIS: dict[str, type[Wire]] = {"chat": ChatCompletions, "responses": Responses}
JSON = {"Content-Type": "application/json"}

T = TypeVar("T")


class OpenAIModel(Model):
    """Chat completions (https://platform.openai.com/docs/api-reference/chat) or, where the endpoint has them, responses
    (https://platform.openai.com/docs/api-reference/responses).

    It is asked again after connection errors, timeouts and the statuses 408, 409, 429 and 5xx, with growing pauses or
    after what ``Retry-After`` asks for. A streamed answer that has begun is not asked for again.

    Args:
        name: the model's name at the endpoint.
        api: which of the two. Responses lets models that think keep their thoughts between calls of tools.
        base_url: the endpoint; default: ``OPENAI_BASE_URL`` of the environment or ``.env``, else OpenAI's own.
        api_key: the key, or what reads it, asked before each request, so that a new key needs no restart; default:
            ``OPENAI_API_KEY`` of the environment or ``.env``.
        parameters: sent along as they are, such as ``temperature``.
        timeout_seconds: for one try; of a streamed answer until it begins, and then between two pieces.
        max_retries: further tries.
        context_window: tokens that a conversation may have; None: not known.

    Raises:
        TypeError: an argument is of another type, or the parameters are not of JSON.
        ValueError: there is no such API, or a number is too small.
    """

    def __init__(
        self,
        name: str,
        *,
        api: Literal["chat", "responses"] = "chat",
        base_url: str | None = None,
        api_key: GivenKey | None = None,
        parameters: dict[str, Any] | None = None,
        timeout_seconds: float = 60,
        max_retries: int = 4,
        context_window: int | None = None,
    ) -> None:
        if api not in APIS:
            raise ValueError(f"api must be one of {', '.join(APIS)}, not {api!r}")
        check_arguments(name, parameters, timeout_seconds, max_retries, context_window)
        self.name = name
        self.context_window = context_window
        self._wire = APIS[api](name)
        self._parameters = parameters or {}
        self.timeout_seconds: float = timeout_seconds
        self._max_retries = max_retries
        base_url = base_url or variable(BASE_URL) or None
        key = partial(read_key, api_key or key_of_environment("pass api_key", needed=base_url is None))

        def connect() -> openai.AsyncOpenAI:
            http = openai.DefaultAsyncHttpxClient(timeout=timeout_seconds)  # the default one closes itself on any loop
            return openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, http_client=http)

        self._clients = PerLoop(connect, openai.AsyncOpenAI.close)

    async def invoke(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> ModelReply:
        """One request, and the reply to it."""
        body = self._wire.body(messages, tools, output, self._parameters)
        client = await self._clients.get()
        with as_model_errors(self._wire, self.timeout_seconds):
            # posted directly: the client's own methods walk over the whole conversation first
            answer = await self._persistently(
                lambda: client.post(self._wire.path, cast_to=bytes, content=body, options={"headers": JSON})
            )
        return counted(self._wire.reply(answer), self, messages, tools)

    async def invoke_streaming(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> AsyncGenerator[str | ModelReply]:
        """One request, and the reply to it piece by piece."""
        body = self._wire.body(messages, tools, output, self._parameters, streamed=True)
        client = await self._clients.get()
        gathering, events = self._wire.gathering(), 0
        with as_model_errors(self._wire, self.timeout_seconds):
            stream = await self._persistently(
                lambda: client.post(
                    self._wire.path,
                    cast_to=object,
                    content=body,
                    options={"headers": JSON},
                    stream=True,
                    stream_cls=openai.AsyncStream[object],
                )
            )
            async with stream:
                async for event in stream:
                    events += 1
                    if text := gathering.take(event):
                        yield text
        if not events:
            raise self._wire.nonsense()
        reply = gathering.reply()
        if reply is None:
            raise ModelUnavailable(f"the answer of model {self.name} broke off", hint="ask again")
        yield counted(reply, self, messages, tools)

    async def aclose(self) -> None:
        """Close the connections; the next call opens them anew."""
        await self._clients.aclose()

    async def _persistently(self, ask: Callable[[], Awaitable[T]]) -> T:
        return await with_retries(ask, timeout_seconds=self.timeout_seconds, max_retries=self._max_retries)
