"""What is particular to the Responses API, by the real client against a real server that follows a script."""

import pytest
from isek import IsekAgent, Message, OpenAIModel
from isek.errors import RunError
from isek.models.base import Image, OutputSchema, ToolCall, ToolSchema, Usage
from isek.tools.calculator import Calculator

from tests.support.openai_server import OpenAIServer, Turn

CALCULATOR = ToolSchema("calculator", "Works it out.", {"type": "object", "properties": {}})
CALCULATION: Turn = {"toolCalls": [{"name": "calculator", "arguments": {"expression": "6*7"}}], "reasoning": "gAAA"}
THOUGHT = {"type": "reasoning", "id": "rs_0", "summary": [], "encrypted_content": "gAAA"}


def serving(*turns: Turn) -> OpenAIServer:
    return OpenAIServer({"m": turns})


async def reply(model: OpenAIModel, *, streamed: bool) -> object:
    if not streamed:
        return await model.invoke([Message("user", "tea")])
    return [piece async for piece in model.invoke_streaming([Message("user", "tea")])][-1]


async def test_a_conversation_is_sent_as_items_and_nothing_is_kept_there() -> None:
    conversation = [
        Message("system", "be brief"),
        Message("user", "tea", images=(Image("https://example.org/x.png"), Image(content=b"x"))),
        Message("assistant", "let me see", tool_calls=(ToolCall("c1", "calculator", "{}"),)),
        Message("tool", "42", tool_call_id="c1"),
    ]
    async with serving({"text": "about {input}"}) as server:
        model = OpenAIModel("m", api="responses", base_url=server.url, parameters={"temperature": 0.2})
        said = await model.invoke(conversation, [CALCULATOR], output=OutputSchema("City", {"type": "object"}))
        await model.aclose()

    assert (said.text, said.usage) == ("about tea", Usage(5, 2))
    assert server.requests == [
        {
            "model": "m",
            "store": False,
            "temperature": 0.2,
            "input": [
                {"role": "system", "content": "be brief"},
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "tea"},
                        {"type": "input_image", "image_url": "https://example.org/x.png"},
                        {"type": "input_image", "image_url": "data:image/png;base64,eA=="},
                    ],
                },
                {"role": "assistant", "content": "let me see"},
                {"type": "function_call", "call_id": "c1", "name": "calculator", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "42"},
            ],
            "tools": [
                {
                    "type": "function",
                    "name": "calculator",
                    "description": "Works it out.",
                    "parameters": {"type": "object", "properties": {}},
                    "strict": False,
                }
            ],
            "text": {"format": {"type": "json_schema", "name": "City", "schema": {"type": "object"}}},
        }
    ]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_model_gets_its_thoughts_back_with_the_answers_of_its_tools(*, streamed: bool) -> None:
    async with serving(CALCULATION, {"text": "it is 42"}) as server:
        agent = IsekAgent(model=OpenAIModel("m", api="responses", base_url=server.url), tools=[Calculator()])
        if streamed:
            assert [event async for event in agent.stream("6*7?")]
        else:
            assert str(await agent.arun("6*7?")) == "it is 42"
        await agent.aclose()

    assert server.requests[1]["input"] == [
        {"role": "user", "content": "6*7?"},
        THOUGHT,
        {"type": "function_call", "call_id": "call_0", "name": "calculator", "arguments": '{"expression": "6*7"}'},
        {"type": "function_call_output", "call_id": "call_0", "output": "42"},
    ]


async def test_no_other_model_gets_to_see_these_thoughts() -> None:
    async with OpenAIServer({"m": [CALCULATION], "other": [{"text": "done"}]}) as server:
        first, other = (OpenAIModel(name, api="responses", base_url=server.url) for name in ("m", "other"))
        said = await first.invoke([Message("user", "6*7?")])
        await other.invoke([Message("assistant", tool_calls=said.tool_calls, reasoning=said.reasoning)])
        await first.aclose()
        await other.aclose()

    assert said.reasoning is not None
    assert [item["type"] for item in server.requests[1]["input"]] == ["function_call"]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        ("server_error", "ModelUnavailable"),
        ("rate_limit_exceeded", "ModelRateLimited"),
        ("invalid_image", "ModelError"),
        ("bio_policy", "ModelRefused"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_failure_told_in_an_answer_is_an_error_with_a_code(failure: str, code: str, *, streamed: bool) -> None:
    async with serving({"failure": failure}) as server:
        model = OpenAIModel("m", api="responses", base_url=server.url)
        with pytest.raises(RunError) as failed:
            await reply(model, streamed=streamed)
        await model.aclose()

    assert failed.value.code == code
    assert "model m" in failed.value.message


def test_an_api_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="api must be one of chat, responses, not 'completions'"):
        OpenAIModel("m", api="completions")  # type: ignore[arg-type]
