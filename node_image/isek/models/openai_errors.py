"""What the OpenAI client raises, as errors of models."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import openai

from isek.models.errors import (
    ModelAuthenticationFailed,
    ModelContextTooLong,
    ModelError,
    ModelRateLimited,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
)
from isek.models.wire import Wire

CONTEXT_TOO_LONG = {"context_length_exceeded", "string_above_max_length"}
"""The codes of a conversation that is too long."""
SAID_TOO_LONG = re.compile(
    r"context (length|window|size)|(prompt|input|conversation|request) is too long|maximum number of tokens", re.I
)
"""How endpoints say so that have no code for it: vLLM, llama.cpp; Anthropic; Gemini."""
NO_QUOTA = "insufficient_quota"
TOLD = {"ConnectError", "ReadError", "RemoteProtocolError", "SSLError", "UnsupportedProtocol", "WriteError"}
"""The client's errors whose text is of the connection; that of others may hold a header, and in it the key."""


@contextmanager
def as_model_errors(wire: Wire, timeout_seconds: float) -> Iterator[None]:
    """Raise them as such, with what to do."""
    try:
        yield
    except (openai.APITimeoutError, TimeoutError):
        raise ModelTimeout(
            f"model {wire.model} did not answer within {timeout_seconds:g} s",
            hint="give it more time, or look at the endpoint",
        ) from None
    except openai.APIStatusError as error:
        raise refused(wire.model, error.status_code, error.code, _reason(error)) from None
    except openai.APIConnectionError as error:
        raise ModelUnavailable(
            f"model {wire.model} cannot be reached: {_cause(error)}",
            hint="check the base URL and the network",
        ) from None
    except (openai.APIResponseValidationError, ValueError):
        raise wire.nonsense() from None
    except openai.OpenAIError as error:
        raise ModelUnavailable(
            f"model {wire.model} failed: {error}", hint="ask again later, or look at the endpoint"
        ) from None


def refused(model: str, status: int, code: str | None, reason: str) -> ModelError:
    """What an endpoint means by a status."""
    message = f"model {model} answered {status}: {reason}"
    if status in {401, 403}:
        return ModelAuthenticationFailed(
            f"model {model} answered {status}: the API key is not accepted",
            hint="check the key, and what it is good for",
        )
    if code == NO_QUOTA:
        return ModelError(message, hint="top up the account at the provider, or raise its limit")
    if status == 429:
        return ModelRateLimited(message, hint="ask less often, or raise the limits at the provider")
    if status >= 500 or status == 408:
        return ModelUnavailable(message, hint="ask again later, or look at the endpoint")
    if code in CONTEXT_TOO_LONG or status == 413 or SAID_TOO_LONG.search(reason):
        return ModelContextTooLong(message, hint="say less at once, or take a model with a larger context")
    if code == "content_filter":
        return ModelRefused(message, hint="ask for something else")
    if status == 404:
        return ModelError(message, hint="check the base URL, which ends in /v1 at most endpoints, and the model's name")
    return ModelError(message, hint="check the model's name and its parameters")


def _cause(error: openai.APIConnectionError) -> str:
    cause = error.__cause__
    if cause is None:
        return error.message
    name = type(cause).__name__
    return str(cause) or name if name in TOLD else name


def _reason(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, list) and body and isinstance(body[0], dict):  # Gemini's is one of a list
        body = body[0].get("error")
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return str(body["message"])
    return error.message if body is None else error.response.reason_phrase  # else it is a page of HTML
