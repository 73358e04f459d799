"""The real client against a real server that follows a script."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from httpx2 import LocalProtocolError, Request
from isek import IsekAgent
from isek.api.model import ModelSpec
from isek.errors import RunError
from isek.models.api_key import GivenKey
from isek.models.base import Image, Message, Model, ModelReply, OutputSchema, ToolCall, ToolSchema, Usage
from isek.models.build import build_model
from isek.models.chat_completions import ChatCompletions
from isek.models.fallback import FallbackModel
from isek.models.openai import OpenAIModel
from isek.models.openai_errors import as_model_errors
from openai import APIConnectionError

from tests.support.log_lines import LogLines
from tests.support.openai_server import OpenAIServer, Turn
from tests.support.waiting import until

USER = Message("user", "tea")
KEY = "sk-something-secret"
CALCULATOR = ToolSchema("calculator", "Works it out.", {"type": "object", "properties": {}})


@asynccontextmanager
async def serving(*turns: Turn, key: str | None = None) -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer({"m": turns}, key=key) as server:
        yield server


@asynccontextmanager
async def model_of(server: OpenAIServer, secrets: Path = Path("/nowhere"), **spec: Any) -> AsyncIterator[Model]:
    values = {"provider": "OpenAI", "name": "m", "baseURL": server.url, **spec}
    model = build_model(ModelSpec.model_validate(values), secrets)
    try:
        yield model
    finally:
        await model.aclose()


async def failure(server: OpenAIServer, secrets: Path = Path("/nowhere"), **spec: Any) -> RunError:
    async with model_of(server, secrets, **spec) as model:
        with pytest.raises(RunError) as failed:
            await model.invoke([USER])
    return failed.value


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    (tmp_path / "openai").mkdir()
    (tmp_path / "openai" / "api-key").write_text(KEY + "\n")
    return tmp_path


@pytest.fixture(params=["Chat", "Responses"])
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


API_KEY = {"secretKeyRef": {"name": "openai", "key": "api-key"}}


async def test_the_answer_and_its_tokens_come_back() -> None:
    async with serving({"text": "about {input}"}) as server, model_of(server) as model:
        reply = await model.invoke([Message("system", "be brief"), USER])

    assert (reply.text, reply.usage.total_tokens) == ("about tea", 7)
    assert server.requests[0]["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "tea"},
    ]


async def test_parameters_are_passed_as_they_are() -> None:
    parameters = {"temperature": 0.2, "of_this_provider_alone": {"deep": [1]}}
    async with serving({"text": "x"}) as server, model_of(server, parameters=parameters) as model:
        await model.invoke([USER])

    assert {key: server.requests[0][key] for key in parameters} == parameters


async def test_tools_are_offered_and_their_calls_and_answers_carried() -> None:
    call = {"name": "calculator", "arguments": '{"expression": '}
    async with serving({"toolCalls": [call]}, {"text": "done"}) as server, model_of(server) as model:
        first = await model.invoke([USER], [CALCULATOR])
        answer = Message("tool", "4", tool_call_id=first.tool_calls[0].id)
        last = await model.invoke([USER, Message("assistant", tool_calls=first.tool_calls), answer], [CALCULATOR])

    assert first.tool_calls == (ToolCall("call_0", "calculator", '{"expression": '),)
    assert last.text == "done"
    assert server.requests[0]["tools"][0]["function"]["name"] == "calculator"
    assert server.requests[1]["messages"][1]["tool_calls"][0]["id"] == "call_0"
    assert server.requests[1]["messages"][2] == {"role": "tool", "content": "4", "tool_call_id": "call_0"}


async def test_a_rate_limit_is_waited_out_as_long_as_the_server_asks(api: str) -> None:
    async with (
        serving({"status": 429, "retryAfter": 0.3}, {"text": "now"}) as server,
        model_of(server, api=api) as model,
    ):
        begun = time.monotonic()
        reply = await model.invoke([USER])

    assert reply.text == "now"
    assert time.monotonic() - begun >= 0.3
    assert len(server.requests) == 2


async def test_a_server_error_is_tried_again() -> None:
    async with serving({"status": 500}, {"status": 503}, {"text": "now"}) as server, model_of(server) as model:
        reply = await model.invoke([USER])

    assert reply.text == "now"


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
        ({"text": "The answer is, as foll", "cutOff": True}, "ModelAnswerCutOff", 1),
        ({"toolCalls": [{"name": "add", "arguments": '{"a": '}], "cutOff": True}, "ModelAnswerCutOff", 1),
        ({"body": '{"hello": "world"}'}, "ModelError", 1),
        ({"body": "<html>not JSON</html>"}, "ModelError", 1),
        ({"body": '{"choices": []}'}, "ModelError", 1),
        ({"body": '{"choices": [{"message": null}]}'}, "ModelError", 1),
        ({"body": '{"output": [{"type": "message", "content": 3}]}'}, "ModelError", 1),
        ({"body": '{"output": [null]}'}, "ModelError", 1),
    ],
)
async def test_what_does_not_pass_is_an_error_with_a_code(
    turn: dict[str, Any], code: str, requests: int, api: str
) -> None:
    async with serving(turn) as server:
        error = await failure(server, maxRetries=1, timeoutSeconds=1, api=api)

    assert (error.code, len(server.requests)) == (code, requests)
    assert "model m" in error.message
    assert error.hint


async def test_a_model_that_is_not_there_is_named_with_the_servers_reason() -> None:
    async with OpenAIServer({}) as server:
        error = await failure(server)

    assert (error.code, error.message) == ("ModelError", "model m answered 404: The model `m` does not exist.")


async def test_an_endpoint_that_is_not_there_is_a_model_error() -> None:
    async with serving() as server:
        pass

    error = await failure(server, maxRetries=0)

    assert error.code == "ModelUnavailable"
    assert error.message.startswith("model m cannot be reached")


async def test_the_key_comes_from_the_secret(secrets: Path) -> None:
    async with serving({"text": "in"}, key=KEY) as server, model_of(server, secrets, apiKey=API_KEY) as model:
        assert (await model.invoke([USER])).text == "in"


async def test_a_new_key_is_used_without_a_restart(secrets: Path) -> None:
    async with serving({"text": "in"}, key="new") as server, model_of(server, secrets, apiKey=API_KEY) as model:
        with pytest.raises(RunError, match="ModelAuthenticationFailed"):
            await model.invoke([USER])
        (secrets / "openai" / "api-key").write_text("new")
        assert (await model.invoke([USER])).text == "in"


async def test_a_secret_that_is_missing_is_named(tmp_path: Path) -> None:
    async with serving({"text": "in"}) as server:
        error = await failure(server, tmp_path, apiKey=API_KEY)

    assert error.code == "ModelAuthenticationFailed"
    assert "'api-key' of Secret 'openai'" in error.message


async def test_without_a_secret_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    async with serving({"text": "in"}, key=KEY) as server, model_of(server) as model:
        assert (await model.invoke([USER])).text == "in"


async def later() -> str:
    return KEY + "\n"


@pytest.mark.parametrize(
    "given", [f" {KEY}\n\n", lambda: KEY + "\n", later, None], ids=["text", "sync", "async", "env"]
)
async def test_a_key_is_sent_without_its_line_end(monkeypatch: pytest.MonkeyPatch, given: GivenKey | None) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY + "\n")
    async with serving({"text": "in"}, key=KEY) as server:
        model = OpenAIModel("m", base_url=server.url, api_key=given)
        assert (await model.invoke([USER])).text == "in"
        await model.aclose()


@pytest.mark.parametrize("key", ["sk-one\nsk-two", "sk-s\xe9cret", "\n"])
async def test_a_key_that_cannot_be_sent_is_told_without_it(log: LogLines, key: str) -> None:
    async with serving({"text": "in"}) as server:
        model = OpenAIModel("m", base_url=server.url, api_key=key)
        result = await IsekAgent(model=model).arun("tea")
        await model.aclose()

    assert [error.code for error in result.errors] == ["ModelAuthenticationFailed"]
    assert "sk-" not in f"{result!r}{result}{log.text}"
    assert not server.requests


async def test_what_the_client_says_of_a_request_of_its_own_making_is_not_passed_on() -> None:
    wrong = LocalProtocolError(f"Illegal header value b'Bearer {KEY}'")

    with pytest.raises(RunError) as failed, as_model_errors(ChatCompletions("m"), 1):
        raise APIConnectionError(request=Request("POST", "http://m")) from wrong

    assert failed.value.message == "model m cannot be reached: LocalProtocolError"


async def test_without_any_key_openai_itself_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    model = build_model(ModelSpec(provider="OpenAI", name="m"), Path("/nowhere"))

    with pytest.raises(RunError) as failed:
        await model.invoke([USER])
    await model.aclose()

    assert failed.value.code == "ModelAuthenticationFailed"
    assert "OPENAI_API_KEY" in failed.value.hint


@pytest.mark.parametrize("status", [200, 401, 429, 500])
async def test_the_key_is_never_logged(
    secrets: Path, caplog: pytest.LogCaptureFixture, log: LogLines, status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    turn: Turn = {"text": "x"} if status == 200 else {"status": status, "retryAfter": 0.01}
    said = ""
    async with serving(turn) as server, model_of(server, secrets, apiKey=API_KEY, maxRetries=1) as model:
        try:
            await model.invoke([USER])
        except RunError as error:
            said = f"{error} {error.hint}"

    assert bool(said) == (status != 200)
    assert KEY not in caplog.text + log.text + said


async def test_a_try_ends_in_time_however_the_answer_drips() -> None:
    async with serving({"text": "late", "drips": True}) as server:
        error = await failure(server, maxRetries=1, timeoutSeconds=1)

    assert (error.code, len(server.requests)) == ("ModelTimeout", 2)


def test_an_agent_may_be_used_on_one_loop_after_the_other() -> None:
    async def talk() -> None:
        async with serving({"text": "tea"}) as server:
            agent = IsekAgent(model=OpenAIModel("m", base_url=server.url, max_retries=0))
            with ThreadPoolExecutor() as elsewhere:
                answers = [
                    await agent.arun("one"),
                    await asyncio.to_thread(agent.run, "two"),
                    await agent.arun("three"),
                    await asyncio.wrap_future(elsewhere.submit(asyncio.run, agent.arun("four"))),
                    await asyncio.wrap_future(elsewhere.submit(asyncio.run, agent.arun("five"))),
                    await asyncio.to_thread(agent.run, "six"),
                ]
            await agent.aclose()

            answers += [await agent.arun("seven"), await asyncio.to_thread(agent.run, "eight")]
            await agent.aclose()
        assert [str(answer) for answer in answers] == ["tea"] * 8

    asyncio.run(talk())


async def test_connections_are_closed_on_the_loop_that_made_them() -> None:
    async with serving({"text": "tea"}) as server:
        model = OpenAIModel("m", base_url=server.url)
        await asyncio.to_thread(lambda: asyncio.run(model.invoke([USER])))
        await until(lambda: not server.connections, what="they are closed")
        await asyncio.to_thread(IsekAgent(model=model).run, "hi")
        await model.invoke([USER])
        assert server.connections == 2

        await model.aclose()

        await until(lambda: not server.connections, what="they are closed")


async def pieces(model: Model, *tools: ToolSchema) -> tuple[list[str], ModelReply]:
    said = [piece async for piece in model.invoke_streaming([USER], tools)]
    reply = said.pop()
    assert isinstance(reply, ModelReply)
    return [str(piece) for piece in said], reply


async def test_an_answer_comes_piece_by_piece_with_its_tokens(api: str) -> None:
    async with serving({"text": "about {input} and more"}) as server, model_of(server, api=api) as model:
        said, reply = await pieces(model)

    assert said == ["about ", "tea ", "and ", "more"]
    assert (reply.text, reply.usage) == ("about tea and more", Usage(5, 2))


async def test_streamed_tool_calls_are_put_together(api: str) -> None:
    turns = {"toolCalls": [{"name": "calculator", "arguments": {"expression": "6*7"}}, {"name": "other"}]}
    async with serving(turns) as server, model_of(server, api=api) as model:
        _, reply = await pieces(model, CALCULATOR)

    assert reply.tool_calls == (
        ToolCall("call_0", "calculator", '{"expression": "6*7"}'),
        ToolCall("call_1", "other", "{}"),
    )


@pytest.mark.parametrize(
    ("turn", "code"),
    [
        ({"text": "one two three four", "breaksOff": True}, "ModelUnavailable"),
        ({"refusal": "I must not"}, "ModelRefused"),
        ({"text": "The answer is, as foll", "cutOff": True}, "ModelAnswerCutOff"),
        ({"status": 401}, "ModelAuthenticationFailed"),
        ({"status": 500, "retryAfter": 0.01}, "ModelUnavailable"),
        ({"body": "<html>Welcome</html>"}, "ModelError"),
        ({"body": 'data: {"error": {"message": "overloaded"}}\n\n'}, "ModelUnavailable"),
        ({"body": "data: {broken\n\n"}, "ModelError"),
        ({"body": "data: [1]\n\n"}, "ModelError"),
    ],
)
async def test_a_streamed_answer_that_fails_is_an_error_with_a_code(turn: dict[str, Any], code: str, api: str) -> None:
    async with serving(turn) as server, model_of(server, maxRetries=0, api=api) as model:
        with pytest.raises(RunError) as failed:
            await pieces(model)

    assert failed.value.code == code


async def test_what_is_no_text_is_sent_as_question_marks(api: str) -> None:
    async with serving({"text": "{input}"}) as server, model_of(server, api=api) as model:
        assert (await model.invoke([Message("user", "caf\udce9 ☕")])).text == "caf? ☕"


async def test_an_endpoint_that_does_not_count_has_its_tokens_estimated() -> None:
    uncounted = '{"choices": [{"message": {"content": "12345678"}}]}'
    async with serving({"body": uncounted}) as server, model_of(server) as model:
        assert (await model.invoke([Message("user", "1234")])).usage == Usage(5, 6)


GEMINI = '[{"error": {"message": "The input token count (12) exceeds the maximum number of tokens allowed (8)."}}]'


@pytest.mark.parametrize(
    "turn",
    [
        {"status": 400, "errorCode": "context_length_exceeded"},
        {"status": 400, "errorMessage": "This model's maximum context length is 4096 tokens."},
        {"status": 400, "errorMessage": "prompt is too long: 208310 tokens > 200000 maximum"},
        {"status": 400, "errorMessage": "the request exceeds the available context size"},
        {"status": 400, "body": GEMINI},
        {"status": 413},
    ],
)
async def test_a_conversation_that_is_too_long_is_told_apart(turn: Turn) -> None:
    async with serving(turn) as server:
        error = await failure(server)

    assert error.code == "ModelContextTooLong"


async def test_an_account_that_is_used_up_is_no_rate_limit() -> None:
    async with serving({"status": 429, "errorCode": "insufficient_quota"}) as server:
        error = await failure(server)

    assert (error.code, error.transient, len(server.requests)) == ("ModelError", False, 1)


async def test_images_and_the_form_of_the_answer_go_along() -> None:
    shown = Message("user", "what is it?", images=(Image("https://example.org/x.png"), Image(content=b"x")))
    async with serving({"text": "{}"}) as server, model_of(server) as model:
        await model.invoke([shown], output=OutputSchema("City", {"type": "object"}))

    sent = server.requests[0]
    assert sent["messages"][0]["content"] == [
        {"type": "text", "text": "what is it?"},
        {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}},
    ]
    assert sent["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "City", "schema": {"type": "object"}},
    }


async def test_where_a_model_fails_the_next_one_answers() -> None:
    async with OpenAIServer({"a": [{"status": 400}], "b": [{"text": "from b"}]}) as server:
        model = FallbackModel(*(OpenAIModel(name, base_url=server.url) for name in "ab"))
        replies = [(await model.invoke([USER])).text, (await pieces(model))[1].text]
        await model.aclose()

    assert replies == ["from b", "from b"]
