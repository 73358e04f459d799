"""Any provider that LiteLLM knows (https://docs.litellm.ai/docs/providers)."""

import json
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any

# before the import: no table of prices from the internet, no reading of .env behind one's back
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("LITELLM_MODE", "PRODUCTION")

import litellm
import openai

from isek.models.api_key import GivenKey, key_of_environment, read_key
from isek.models.arguments import check_arguments
from isek.models.base import Message, Model, ModelReply, OutputSchema, ToolSchema, counted
from isek.models.chat_completions import ChatCompletions
from isek.models.errors import (
    ModelContextTooLong,
    ModelError,
    ModelUnavailable,
)
from isek.models.openai_errors import as_model_errors, refused
from isek.models.retries import with_retries

litellm.suppress_debug_info = True  # else advertisements are printed beside each error


class LiteLLMModel(Model):
    """A model by its name at LiteLLM: ``anthropic/claude-sonnet-4-5``, ``ollama/qwen3``, ``bedrock/…``.

    Failed calls are tried again as those of ``OpenAIModel``, and fail with the same errors. A streamed answer that
    breaks off cannot be told from one that has ended: LiteLLM ends it.

    Args:
        name: provider and model.
        base_url: the endpoint; default: the provider's own.
        api_key: the key, or what reads it, asked before each request; default: the variable of the environment that
            LiteLLM looks for, such as ``ANTHROPIC_API_KEY``, or of ``.env``.
        parameters: sent along as they are, such as ``temperature``.
        timeout_seconds: for one try; of a streamed answer until it begins, and then between two pieces.
        max_retries: further tries.
        context_window: tokens that a conversation may have; default: what LiteLLM knows of the model.

    Raises:
        TypeError: an argument is of another type, or the parameters are not of JSON.
        ValueError: a number is too small.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key: GivenKey | None = None,
        parameters: dict[str, Any] | None = None,
        timeout_seconds: float = 60,
        max_retries: int = 4,
        context_window: int | None = None,
    ) -> None:
        check_arguments(name, parameters, timeout_seconds, max_retries, context_window)
        self.name = name
        self.context_window = context_window or _context_window(name)
        self._wire = ChatCompletions(name)
        self._base_url = base_url
        self._api_key = api_key or environment_key(name, "pass api_key", needed=base_url is None)
        self._parameters = parameters or {}
        self.timeout_seconds: float = timeout_seconds
        self._max_retries = max_retries

    async def invoke(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> ModelReply:
        """One request, and the reply to it."""
        with self._errors():
            answer = (await self._ask(messages, tools, output)).model_dump()
        for choice in answer["choices"]:
            said = choice["message"]
            said["refusal"] = (said.get("provider_specific_fields") or {}).get("refusal")
        return counted(self._wire.reply(answer), self, messages, tools)

    async def invoke_streaming(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> AsyncGenerator[str | ModelReply]:
        """One request, and the reply to it piece by piece."""
        gathering = self._wire.gathering()
        with self._errors():
            stream = await self._ask(messages, tools, output, streamed=True)
            async with aclosing(stream):
                async for chunk in stream:
                    if text := gathering.take(chunk.model_dump()):
                        yield text
        reply = gathering.reply()
        if reply is None:
            raise ModelUnavailable(f"the answer of model {self.name} broke off", hint="ask again")
        yield counted(reply, self, messages, tools)

    async def _ask(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSchema],
        output: OutputSchema | None,
        *,
        streamed: bool = False,
    ) -> Any:
        body = json.loads(self._wire.body(messages, tools, output, self._parameters, streamed=streamed))
        about: dict[str, Any] = {"timeout": self.timeout_seconds, "max_retries": 0, "num_retries": 0}
        if self._base_url is not None:
            about["api_base"] = self._base_url

        async def ask() -> Any:
            return await litellm.acompletion(**body, **about, api_key=await self._key())

        return await with_retries(ask, timeout_seconds=self.timeout_seconds, max_retries=self._max_retries)

    async def _key(self) -> str | None:
        """The key; None: LiteLLM finds what it needs in the environment."""
        return None if self._api_key is None else await read_key(self._api_key)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with as_model_errors(self._wire, self.timeout_seconds):
            try:
                yield
            except litellm.ContextWindowExceededError as error:
                raise ModelContextTooLong(
                    f"the conversation is too long for model {self.name}: {error.message}",
                    hint="say less at once, or take a model with a larger context",
                ) from None
            except litellm.ContentPolicyViolationError as error:
                raise self._wire.refused(error.message) from None
            except litellm.APIError as error:  # the statuses for which it has no class
                raise refused(self.name, error.status_code, None, error.message) from None
            except (ModelError, openai.OpenAIError, TimeoutError):
                raise
            except Exception as error:  # it has a hundred providers, and each raises what it likes
                raise ModelError(
                    f"model {self.name} failed: {type(error).__name__}: {error}", hint="look at LiteLLM's page of it"
                ) from error


def environment_key(name: str, instead: str, *, needed: bool) -> Callable[[], Awaitable[str]] | None:
    """What reads the key of model ``name``, as ``key_of_environment``; None: it has none, or LiteLLM has found it."""
    missing = litellm.validate_environment(name)["missing_keys"]
    names = [variable for variable in missing if variable.endswith("_API_KEY")]
    return key_of_environment(instead, needed=needed, names=names) if names else None


def _context_window(name: str) -> int | None:
    try:
        window = litellm.get_model_info(name).get("max_input_tokens")
    except Exception:  # it knows nothing of the model, and says so in as many ways as it has providers
        return None
    return window if isinstance(window, int) else None
