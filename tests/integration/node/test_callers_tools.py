"""A node, asked by OpenAI's own client with tools that the client runs itself."""

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from tests.support.node_process import NodeProcess, agent, scripted, team
from tests.support.openai_server import OpenAIServer, Turn

RAIN: Any = {
    "type": "function",
    "function": {
        "name": "rain",
        "description": "How much it will rain",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
SNOW: Any = {"type": "function", "function": {"name": "snow"}}
ASKS_RAIN: Turn = {"toolCalls": [{"name": "rain", "arguments": {"city": "Oslo"}}]}
SUMS_AND_RAIN: Turn = {
    "toolCalls": [{"name": "calculator", "arguments": {"expression": "6*7"}}, {"name": "rain", "arguments": {}}]
}
SCRIPT: dict[str, list[Turn]] = {
    "weather": [{"text": "{input}"}],
    "both": [SUMS_AND_RAIN, {"text": "42 mm"}],
    "lost": [SUMS_AND_RAIN, {"text": "done"}],
    "many": [{"toolCalls": [ASKS_RAIN["toolCalls"][0], {"name": "snow", "arguments": {}}]}],
    "stubborn": [{"text": "no"}],
    "late": [{"text": "wait"}, ASKS_RAIN],
    "form": [{"text": '```json\n{"mm": 42}\n```'}],
    "formless": [{"text": "much"}],
}


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(SCRIPT) as serving:
        yield serving


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory, server: OpenAIServer) -> AsyncIterator[NodeProcess]:
    calculator = [{"builtin": "calculator"}]
    weather = scripted({"toolCalls": ASKS_RAIN["toolCalls"]}, {"text": "take an umbrella"})
    resources = [
        agent("scripted", weather),
        *(
            agent(name, {"provider": "OpenAI", "name": name, "baseURL": server.url}, tools=calculator)
            for name in SCRIPT
        ),
        team("pair", "weather", "both"),
    ]
    async with NodeProcess(tmp_path_factory.mktemp("node"), resources) as process:
        yield process


@pytest.fixture
async def client(node: NodeProcess) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{node.url}/v1", api_key="none") as client:
        yield client


def user(text: str) -> Any:
    return {"role": "user", "content": text}


async def loop(client: openai.AsyncOpenAI, model: str, *, tools: list[Any]) -> tuple[str | None, list[Any]]:
    """What programs do with the client: run what is called, and ask again, until there is an answer."""
    messages: list[Any] = [user("Oslo?")]
    for _ in range(5):
        completion = await client.chat.completions.create(model=model, messages=messages, tools=tools)
        choice = completion.choices[0]
        if choice.finish_reason != "tool_calls":
            return choice.message.content, messages
        messages.append(choice.message.model_dump(exclude_none=True))
        for call in choice.message.tool_calls or ():
            assert call.type == "function"
            messages.append({"role": "tool", "tool_call_id": call.id, "content": f"{call.function.name}: 3 mm"})
    raise AssertionError("there was no answer")


async def test_a_model_calls_the_callers_tools_and_answers_with_what_they_said(client: openai.AsyncOpenAI) -> None:
    answer, messages = await loop(client, "scripted", tools=[RAIN])

    assert answer == "take an umbrella"
    [_, wants, said] = messages
    assert json.loads(wants["tool_calls"][0]["function"]["arguments"]) == {"city": "Oslo"}
    assert said["content"] == "rain: 3 mm"


def test_the_synchronous_client_does_so_too(node: NodeProcess) -> None:
    with openai.OpenAI(base_url=f"{node.url}/v1", api_key="none") as client:
        completion = client.chat.completions.create(model="scripted", messages=[user("Oslo?")], tools=[RAIN])

    assert completion.choices[0].finish_reason == "tool_calls"


async def test_the_model_gets_the_callers_tools_beside_the_agents(
    client: openai.AsyncOpenAI, server: OpenAIServer
) -> None:
    await client.chat.completions.create(model="weather", messages=[user("Oslo?")], tools=[RAIN])

    offered = {tool["function"]["name"]: tool["function"] for tool in server.requests[-1]["tools"]}
    assert offered.keys() == {"calculator", "rain"}
    assert offered["rain"]["parameters"] == RAIN["function"]["parameters"]


async def test_the_agent_runs_its_own_tools_and_keeps_what_they_said(
    client: openai.AsyncOpenAI, server: OpenAIServer
) -> None:
    answer, messages = await loop(client, "both", tools=[RAIN])

    assert answer == "42 mm"
    assert [call["function"]["name"] for call in messages[1]["tool_calls"]] == ["rain"]
    roles = [(message["role"], message["content"]) for message in server.requests[-1]["messages"]]
    assert roles == [("user", "Oslo?"), ("assistant", ""), ("tool", "42"), ("tool", "rain: 3 mm")]
    called = server.requests[-1]["messages"][1]["tool_calls"]
    assert [call["function"]["name"] for call in called] == ["calculator", "rain"]


async def test_a_replica_that_does_not_know_the_agents_own_steps_goes_on_without_them(
    client: openai.AsyncOpenAI, server: OpenAIServer
) -> None:
    call = {"id": "of-another-replica", "type": "function", "function": {"name": "rain", "arguments": "{}"}}
    await client.chat.completions.create(
        model="weather",
        messages=[
            user("Oslo?"),
            {"role": "assistant", "tool_calls": [call]},  # type: ignore[list-item]
            {"role": "tool", "tool_call_id": "of-another-replica", "content": "3 mm"},
        ],
        tools=[RAIN],
    )

    assert [message["role"] for message in server.requests[-1]["messages"]] == ["user", "assistant", "tool"]


async def test_calls_come_in_a_stream(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.stream(model="scripted", messages=[user("Oslo?")], tools=[RAIN]) as stream:
        completion = await stream.get_final_completion()

    [call] = completion.choices[0].message.tool_calls or []
    assert (completion.choices[0].finish_reason, call.function.name) == ("tool_calls", "rain")
    assert json.loads(call.function.arguments) == {"city": "Oslo"}


async def test_one_call_at_a_time_if_the_caller_wants_it_so(client: openai.AsyncOpenAI) -> None:
    async def calls(**options: Any) -> list[str]:
        completion = await client.chat.completions.create(
            model="many", messages=[user("Oslo?")], tools=[RAIN, SNOW], **options
        )
        called = completion.choices[0].message.tool_calls or ()
        return [call.function.name for call in called if call.type == "function"]

    assert await calls() == ["rain", "snow"]
    assert await calls(parallel_tool_calls=False) == ["rain"]


async def test_a_choice_of_tools_is_kept(client: openai.AsyncOpenAI, server: OpenAIServer) -> None:
    named: Any = {"type": "function", "function": {"name": "rain"}}
    asked: dict[str, Any] = {"messages": [user("Oslo?")], "tools": [RAIN, SNOW]}

    await client.chat.completions.create(model="weather", **asked, tool_choice="none")
    assert [tool["function"]["name"] for tool in server.requests[-1]["tools"]] == ["calculator"]
    late = await client.chat.completions.create(model="late", **asked, tool_choice=named)
    assert [tool["function"]["name"] for tool in server.requests[-1]["tools"]] == ["calculator", "rain"]
    assert late.choices[0].finish_reason == "tool_calls"
    with pytest.raises(openai.InternalServerError, match="did not call rain or snow") as failed:
        await client.chat.completions.create(model="stubborn", **asked, tool_choice="required")
    assert failed.value.code == "ToolNotCalled"


async def test_an_answer_has_the_form_that_the_caller_wants(client: openai.AsyncOpenAI, server: OpenAIServer) -> None:
    schema = {"type": "object", "properties": {"mm": {"type": "number"}}}
    form: Any = {"type": "json_schema", "json_schema": {"name": "rain", "schema": schema}}
    asked: dict[str, Any] = {"messages": [user("Oslo?")], "response_format": form}

    completion = await client.chat.completions.create(model="form", **asked)
    assert json.loads(completion.choices[0].message.content or "") == {"mm": 42}
    assert server.requests[-1]["response_format"]["json_schema"]["schema"] == schema
    with pytest.raises(openai.UnprocessableEntityError) as failed:
        await client.chat.completions.create(model="formless", **asked)
    assert (failed.value.code, failed.value.status_code) == ("OutputInvalid", 422)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "pair", "tools": [RAIN]}, "tools: pair.default is no agent but a team"),
        ({"model": "pair", "response_format": {"type": "json_object"}}, "response_format: pair.default is no agent"),
        ({"tools": [RAIN, RAIN]}, "two are called 'rain'"),
        ({"tools": [{"type": "function", "function": {"name": "calculator"}}]}, "has a tool 'calculator' of its own"),
        ({"tools": [{"type": "function", "function": {"name": "no name"}}]}, "tools[0].function.name: 'no name'"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type: is 'custom'"),
        ({"tool_choice": "required"}, "there are no tools"),
        ({"tools": [RAIN], "tool_choice": {"type": "function", "function": {"name": "hail"}}}, "no tool 'hail'"),
        ({"n": 2}, "n: "),
        ({"stop": ["end"]}, "stop: models take it, agents do not"),
        ({"logprobs": True}, "logprobs"),
        ({"functions": [{"name": "x"}]}, "functions: "),
        ({"messages": [user("hi"), {"role": "tool", "tool_call_id": "x", "content": "3"}]}, "no open call"),
        ({"messages": [{"role": "system", "content": "hi"}]}, "the last one must be the user's or a tool's"),
        (
            {
                "messages": [
                    user("hi"),
                    {"role": "assistant", "tool_calls": [{"id": "x", "function": {"name": "f", "arguments": ""}}]},
                    user("well?"),
                ]
            },
            "nothing answers the tool call 'x'",
        ),
    ],
)
async def test_what_cannot_be_had_is_refused(client: openai.AsyncOpenAI, options: dict[str, Any], said: str) -> None:
    asked: dict[str, Any] = {"model": "weather", "messages": [user("hi")], **options}
    with pytest.raises(openai.BadRequestError) as refused:
        await client.chat.completions.create(**asked)

    assert said in refused.value.message
    assert (refused.value.code, refused.value.type) == ("InvalidRequest", "invalid_request_error")


async def test_how_a_model_is_to_be_run_is_left_to_the_agent(client: openai.AsyncOpenAI, server: OpenAIServer) -> None:
    await client.chat.completions.create(
        model="weather", messages=[user("hi")], temperature=0.5, max_completion_tokens=5, seed=1, stop=None
    )

    assert not {"temperature", "max_completion_tokens", "seed"} & server.requests[-1].keys()
