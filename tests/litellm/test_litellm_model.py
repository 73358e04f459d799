"""LiteLLM itself against a real server that follows a script. Needs `make test-litellm`: it does not go with what the
other tests are made of.
"""

import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from isek import IsekAgent, LiteLLMModel, Message
from isek.api.model import ModelSpec
from isek.errors import RunError
from isek.models.base import Image, ModelReply, OutputSchema, ToolCall, ToolSchema, Usage
from isek.models.build import build_model
from isek.tools.calculator import Calculator

from tests.support.openai_server import OpenAIServer, Turn

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:litellm")  # of pydantic, in its streams

USER = Message("user", "tea")
KEY = "sk-something-secret"
CALCULATOR = ToolSchema("calculator", "Works it out.", {"type": "object", "properties": {}})
CALCULATION: Turn = {"toolCalls": [{"name": "calculator", "arguments": {"expression": "6*7"}}]}


@asynccontextmanager
async def serving(*turns: Turn, key: str | None = None) -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer({"m": turns}, key=key) as server:
        yield server


def model_of(server: OpenAIServer, **about: Any) -> LiteLLMModel:
    return LiteLLMModel("openai/m", **{"base_url": server.url, "api_key": KEY, **about})


async def streamed(model: LiteLLMModel) -> tuple[list[str], ModelReply]:
    said = [piece async for piece in model.invoke_streaming([USER])]
    reply = said.pop()
    assert isinstance(reply, ModelReply)
    return [str(piece) for piece in said], reply


async def test_a_conversation_goes_there_and_the_answer_comes_back_with_its_tokens() -> None:
    shown = Message("user", "what is it?", images=(Image(content=b"x"),))
    async with serving({"text": "about {input}"}, key=KEY) as server:
        model = model_of(server, parameters={"temperature": 0.2})
        reply = await model.invoke([Message("system", "be brief"), shown], output=OutputSchema("City", {}))

    assert (reply.text, reply.usage) == ("about what is it?", Usage(5, 2))
    sent = server.requests[0]
    assert (sent["model"], sent["temperature"]) == ("m", 0.2)
    assert sent["messages"][1]["content"][1] == {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64,eA=="},
    }
    assert sent["response_format"] == {"type": "json_schema", "json_schema": {"name": "City", "schema": {}}}


async def test_an_answer_comes_piece_by_piece() -> None:
    async with serving({"text": "about {input} and more"}) as server:
        said, reply = await streamed(model_of(server))

    assert "".join(said) == reply.text == "about tea and more"
    assert len(said) > 1
    assert reply.usage == Usage(5, 2)


async def test_streamed_tool_calls_are_put_together() -> None:
    async with serving(CALCULATION) as server:
        _, reply = await streamed(model_of(server))

    assert reply.tool_calls == (ToolCall("call_0", "calculator", '{"expression": "6*7"}'),)


async def test_an_agent_calls_its_tools() -> None:
    async with serving(CALCULATION, {"text": "it is 42"}) as server:
        result = await IsekAgent(model=model_of(server), tools=[Calculator()]).arun("6*7?")

    assert str(result) == "it is 42"
    assert server.requests[1]["messages"][-1] == {"role": "tool", "content": "42", "tool_call_id": "call_0"}


async def test_a_rate_limit_is_waited_out_as_long_as_the_server_asks() -> None:
    async with serving({"status": 429, "retryAfter": 0.7}, {"status": 500}, {"text": "now"}) as server:
        begun = time.monotonic()
        reply = await model_of(server).invoke([USER])

    assert reply.text == "now"
    assert time.monotonic() - begun >= 0.7
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("turn", "code", "requests"),
    [
        ({"status": 429, "retryAfter": 0.01}, "ModelRateLimited", 2),
        ({"status": 500, "retryAfter": 0.01}, "ModelUnavailable", 2),
        ({"status": 400}, "ModelError", 1),
        ({"status": 401}, "ModelAuthenticationFailed", 1),
        ({"status": 403}, "ModelAuthenticationFailed", 1),
        ({"text": "late", "delaySeconds": 60}, "ModelTimeout", 2),
        ({"refusal": "I must not"}, "ModelRefused", 1),
        ({"body": '{"choices": []}'}, "ModelUnavailable", 2),
        ({"body": "<html>"}, "ModelUnavailable", 2),
    ],
)
async def test_what_does_not_pass_is_an_error_with_a_code(turn: Turn, code: str, requests: int) -> None:
    async with serving(turn) as server:
        with pytest.raises(RunError) as failed:
            await model_of(server, max_retries=1, timeout_seconds=1).invoke([USER])

    assert (failed.value.code, len(server.requests)) == (code, requests)
    assert "model openai/m" in failed.value.message
    assert failed.value.hint


async def test_an_endpoint_that_is_not_there_is_unavailable() -> None:
    async with serving() as server:
        pass

    with pytest.raises(RunError, match="ModelUnavailable"):
        await model_of(server, max_retries=0).invoke([USER])


async def test_a_provider_that_there_is_not_is_a_model_error() -> None:
    with pytest.raises(RunError, match=r"ModelError: model no/m answered 400: .*LLM Provider NOT provided"):
        await LiteLLMModel("no/m").invoke([USER])


async def test_without_a_key_the_provider_is_not_asked_and_the_variable_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)

    with pytest.raises(RunError) as failed:
        await LiteLLMModel("anthropic/claude-sonnet-4-5").invoke([USER])

    assert failed.value.code == "ModelAuthenticationFailed"
    assert "ANTHROPIC_API_KEY" in failed.value.hint


async def test_a_key_may_be_in_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    async with serving({"text": "in"}, key=KEY) as server:
        model = LiteLLMModel("openai/m", base_url=server.url)
        with pytest.raises(RunError, match="ModelAuthenticationFailed"):
            await model.invoke([USER])
        (tmp_path / ".env").write_text(f"OPENAI_API_KEY={KEY}\n")

        assert (await model.invoke([USER])).text == "in"


async def test_from_a_resource_the_key_comes_from_the_secret(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "key").write_text(KEY)
    key = {"secretKeyRef": {"name": "keys", "key": "key"}}
    async with serving({"text": "in"}, key=KEY) as server:
        spec = {"provider": "LiteLLM", "name": "openai/m", "baseURL": server.url, "apiKey": key}
        assert (await build_model(ModelSpec.model_validate(spec), tmp_path).invoke([USER])).text == "in"


def test_the_context_window_is_known_of_known_models() -> None:
    assert LiteLLMModel("openai/gpt-4o").context_window == 128_000
    assert LiteLLMModel("openai/of-our-own").context_window is None


@pytest.mark.parametrize("status", [200, 401, 500])
async def test_the_key_is_never_logged_and_nothing_is_printed(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    turn: Turn = {"text": "x"} if status == 200 else {"status": status}
    said = ""
    async with serving(turn, key=KEY) as server:
        try:
            await model_of(server, max_retries=0).invoke([USER])
        except RunError as error:
            said = f"{error} {error.hint}"

    assert bool(said) == (status != 200)
    assert KEY not in caplog.text + said
    assert capsys.readouterr() == ("", "")


def test_litellm_does_not_read_dotenv_files_or_ask_the_internet_for_prices() -> None:
    assert os.environ["LITELLM_MODE"] == "PRODUCTION"
    assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
