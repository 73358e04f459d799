"""A node, asked by OpenAI's own client by the Responses API."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai.types.responses import ResponseFunctionToolCall

from tests.support.node_process import NodeProcess, agent, scripted, team
from tests.support.openai_server import OpenAIServer, Turn

RAIN: Any = {
    "type": "function",
    "name": "rain",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}
SUMS_AND_RAIN: Turn = {
    "toolCalls": [{"name": "calculator", "arguments": {"expression": "6*7"}}, {"name": "rain", "arguments": {}}]
}
SCRIPT: dict[str, list[Turn]] = {
    "writer": [{"text": "one two three"}],
    "parrot": [{"text": "you said {heard}"}],
    "both": [SUMS_AND_RAIN, {"text": "42 mm"}],
    "form": [{"text": '{"mm": 42}'}],
}


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(SCRIPT) as serving:
        yield serving


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory, server: OpenAIServer) -> AsyncIterator[NodeProcess]:
    calculator = [{"builtin": "calculator"}]
    resources = [
        *(
            agent(name, {"provider": "OpenAI", "name": name, "baseURL": server.url}, tools=calculator)
            for name in SCRIPT
        ),
        agent("rainy", scripted({"toolCalls": [{"name": "rain", "arguments": {"city": "Oslo"}}]}, {"text": "wet"})),
        agent("broken", scripted({"error": "out of order"})),
        team("pair", "writer", "parrot"),
    ]
    async with NodeProcess(tmp_path_factory.mktemp("node"), resources, max_body_bytes=65536) as process:
        yield process


@pytest.fixture
async def client(node: NodeProcess) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{node.url}/v1", api_key="none") as client:
        yield client


async def test_an_agent_answers_with_its_usage_and_trace(client: openai.AsyncOpenAI) -> None:
    response = await client.responses.create(model="writer", input="count", metadata={"for": "Ada"})

    assert (response.output_text, response.status, response.metadata) == ("one two three", "completed", {"for": "Ada"})
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (5, 2)
    assert (response.model_extra or {})["isek"]["trace"]["agent"] == "writer.default"


async def test_the_synchronous_client_gets_it_too(node: NodeProcess) -> None:
    def ask() -> tuple[str, str]:
        with openai.OpenAI(base_url=f"{node.url}/v1", api_key="none") as client:
            whole = client.responses.create(model="writer", input="count").output_text
            with client.responses.stream(model="writer", input="count") as stream:
                return whole, stream.get_final_response().output_text

    assert await asyncio.to_thread(ask) == ("one two three", "one two three")


async def test_a_team_answers_as_an_agent_does(client: openai.AsyncOpenAI) -> None:
    response = await client.responses.create(model="pair", input="count")
    async with client.responses.stream(model="pair", input="count") as stream:
        streamed = await stream.get_final_response()

    assert response.output_text == streamed.output_text == "you said one two three"


async def test_an_answer_comes_as_the_model_writes_it(client: openai.AsyncOpenAI) -> None:
    kinds: list[str] = []
    pieces: list[str] = []
    numbers: list[int] = []
    async with client.responses.stream(model="writer", input="count") as stream:
        async for event in stream:
            kinds.append(event.type)
            numbers.append(event.sequence_number)
            if event.type == "response.output_text.delta":
                pieces.append(event.delta)
        response = await stream.get_final_response()

    assert (len(pieces), "".join(pieces)) == (3, "one two three")
    assert list(dict.fromkeys(kinds)) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert numbers == list(range(len(numbers)))
    assert (response.output_text, response.status) == ("one two three", "completed")


async def test_a_conversation_goes_on_from_a_response(client: openai.AsyncOpenAI) -> None:
    first = await client.responses.create(model="writer", input="count")
    second = await client.responses.create(model="parrot", input="again", previous_response_id=first.id)

    assert second.output_text == "you said count | again"
    assert second.previous_response_id == first.id


async def test_a_response_is_kept_until_it_is_deleted(client: openai.AsyncOpenAI) -> None:
    kept = await client.responses.create(model="writer", input="count")
    unkept = await client.responses.create(model="writer", input="count", store=False)

    assert (await client.responses.retrieve(kept.id)).output_text == "one two three"
    await client.responses.delete(kept.id)
    for gone in (kept, unkept):
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(gone.id)
        with pytest.raises(openai.BadRequestError, match="send the whole conversation as input") as unknown:
            await client.responses.create(model="writer", input="on", previous_response_id=gone.id)
        assert unknown.value.code == "ResponseNotFound"


async def test_what_was_said_may_come_as_items(client: openai.AsyncOpenAI, server: OpenAIServer) -> None:
    picture = {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "auto"}
    said: list[Any] = [
        {"role": "user", "content": "My name is Ada."},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]},
        {"role": "user", "content": [{"type": "input_text", "text": "see"}, picture]},
    ]
    await client.responses.create(model="writer", input=said, instructions="Be brief.")

    messages = server.requests[-1]["messages"]
    assert [message["role"] for message in messages] == ["user", "user", "assistant", "user"]
    assert messages[0]["content"] == "Instructions of who asks: Be brief."
    assert messages[-1]["content"][1]["image_url"]["url"] == picture["image_url"]


async def answered(client: openai.AsyncOpenAI, model: str, *, by_id: bool, streamed: bool) -> str:
    """What programs do with the client: run what is called, and ask again, until there is an answer."""
    items: list[Any] = [{"role": "user", "content": "Oslo?"}]
    previous: str | None = None
    for _ in range(5):
        asked: dict[str, Any] = {"model": model, "input": items, "tools": [RAIN]}
        if by_id and previous is not None:
            asked["previous_response_id"] = previous
        if streamed:
            async with client.responses.stream(**asked) as stream:
                response: Any = await stream.get_final_response()
        else:
            response = await client.responses.create(**asked)
        calls = [item for item in response.output if isinstance(item, ResponseFunctionToolCall)]
        if not calls:
            return str(response.output_text)
        previous = response.id
        said = [{"type": "function_call_output", "call_id": call.call_id, "output": "3 mm"} for call in calls]
        items = said if by_id else [*items, *(item.model_dump(exclude_none=True) for item in response.output), *said]
    raise AssertionError("there was no answer")


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("by_id", [True, False])
async def test_a_model_calls_the_callers_tools(client: openai.AsyncOpenAI, by_id: bool, streamed: bool) -> None:
    assert await answered(client, "rainy", by_id=by_id, streamed=streamed) == "wet"


async def test_what_the_agents_own_tools_said_stays_known(client: openai.AsyncOpenAI, server: OpenAIServer) -> None:
    assert await answered(client, "both", by_id=True, streamed=False) == "42 mm"

    said = [(message["role"], message["content"]) for message in server.requests[-1]["messages"]]
    assert said == [("user", "Oslo?"), ("assistant", ""), ("tool", "42"), ("tool", "3 mm")]


async def test_an_answer_has_the_form_that_the_caller_wants(client: openai.AsyncOpenAI, server: OpenAIServer) -> None:
    schema = {"type": "object", "properties": {"mm": {"type": "number"}}}
    form: Any = {"format": {"type": "json_schema", "name": "rain", "schema": schema}}
    response = await client.responses.create(model="form", input="Oslo?", text=form)

    assert json.loads(response.output_text) == {"mm": 42}
    assert server.requests[-1]["response_format"]["json_schema"] == {"name": "rain", "schema": schema}


@pytest.mark.parametrize(
    ("asked", "error", "code"),
    [
        ({"model": "nobody"}, openai.NotFoundError, "AgentNotFound"),
        ({"input": []}, openai.BadRequestError, "InvalidRequest"),
        ({"input": [{"type": "computer_call"}]}, openai.BadRequestError, "InvalidRequest"),
        ({"input": [{"role": "assistant", "content": "hi"}]}, openai.BadRequestError, "InvalidRequest"),
        (
            {"input": [{"type": "function_call_output", "call_id": "x", "output": "3"}]},
            openai.BadRequestError,
            "InvalidRequest",
        ),
        ({"background": True}, openai.BadRequestError, "InvalidRequest"),
        ({"conversation": "conv_1"}, openai.BadRequestError, "InvalidRequest"),
        ({"tools": [{"type": "web_search"}]}, openai.BadRequestError, "InvalidRequest"),
        ({"model": "pair", "tools": [RAIN]}, openai.BadRequestError, "InvalidRequest"),
        ({"model": "broken"}, openai.InternalServerError, "ModelError"),
        ({"input": "x" * 70000}, openai.APIStatusError, "BodyTooLarge"),
    ],
)
async def test_errors_have_the_form_that_the_client_knows(
    client: openai.AsyncOpenAI, asked: dict[str, Any], error: type[openai.APIStatusError], code: str
) -> None:
    with pytest.raises(error) as failed:
        await client.responses.create(**{"model": "writer", "input": "hi", **asked})

    assert failed.value.code == code


async def test_a_run_that_fails_on_its_way_ends_the_stream_with_the_error(client: openai.AsyncOpenAI) -> None:
    stream = await client.responses.create(model="broken", input="hi", stream=True)
    *_, last = [event async for event in stream]

    assert last.type == "response.failed"
    assert last.response.error is not None
    assert last.response.error.message.startswith("ModelError: ")
    assert (last.response.model_extra or {})["isek"]["error"]["code"] == "ModelError"


async def test_a_run_that_cannot_begin_is_refused_before_the_stream(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        await client.responses.create(model="nobody", input="hi", stream=True)
