"""A node, asked by OpenAI's own client as if its agents were models."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from tests.support.node_process import NodeProcess, agent, scripted, team
from tests.support.openai_server import OpenAIServer, Turn
from tests.support.waiting import until

LONG_AGO: list[Any] = [
    {"role": "user", "content": "My name is Ada."},
    {"role": "assistant", "content": "Hello Ada."},
]

REQUESTS = "isek_requests_total"
NO_PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,#"}}


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[OpenAIServer]:
    script: dict[str, list[Turn]] = {"writer": [{"text": "one two three"}], "held": [{"text": "late", "held": True}]}
    async with OpenAIServer(script) as serving:
        yield serving


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory, server: OpenAIServer) -> AsyncIterator[NodeProcess]:
    def model(name: str) -> dict[str, Any]:
        return {"provider": "OpenAI", "name": name, "baseURL": server.url}

    sums = scripted({"toolCalls": [{"name": "calculator", "arguments": {"expression": "6*7"}}]}, {"text": "it is 42"})
    resources = [
        agent("writer", model("writer"), description="Writes"),
        agent("held", model("held")),
        agent("echo", {"provider": "Echo"}),
        agent("sums", sums, tools=[{"builtin": "calculator"}]),
        agent("broken", scripted({"error": "out of order"})),
        team("pair", "sums", "echo"),
        team("parrots", "echo"),
    ]
    async with NodeProcess(tmp_path_factory.mktemp("node"), resources, max_body_bytes=4096) as process:
        yield process


@pytest.fixture
async def client(node: NodeProcess) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{node.url}/v1", api_key="none") as client:
        yield client


def user(text: Any) -> Any:
    return {"role": "user", "content": text}


async def chunks_of(client: openai.AsyncOpenAI, model: str, **options: Any) -> list[ChatCompletionChunk]:
    asked = {"model": model, "messages": [user("6*7?")], **options}
    stream: openai.AsyncStream[ChatCompletionChunk] = await client.chat.completions.create(**asked, stream=True)
    return [chunk async for chunk in stream]


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


async def runs(node: NodeProcess, name: str) -> float:
    """Runs that have ended, by the node's metrics."""
    async with aiohttp.ClientSession() as session, session.get(f"{node.url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return sum(float(line.split()[-1]) for line in lines if REQUESTS in line and f'agent="{name}"' in line)


def steps_of(chunks: list[ChatCompletionChunk]) -> list[dict[str, Any]]:
    said = [(chunk.model_extra or {}).get("isek", {}) for chunk in chunks]
    return [extension for extension in said if "step" in extension]


async def test_agents_and_teams_are_listed_as_models(client: openai.AsyncOpenAI) -> None:
    models = {model.id: model async for model in client.models.list()}
    writer = await client.models.retrieve("writer")

    assert {"writer", "sums", "pair"} <= models.keys()
    assert (models["pair"].model_extra or {})["isek"]["kind"] == "Team"
    assert (writer.model_extra or {})["isek"] == {
        "kind": "Agent",
        "description": "Writes",
        "address": "writer.default",
    }


async def test_an_answer_comes_as_a_whole_with_its_usage_and_trace(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(model="writer", messages=[user("count")])

    assert completion.choices[0].message.content == "one two three"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (5, 2)
    assert (completion.model_extra or {})["isek"]["trace"]["agent"] == "writer.default"


async def test_an_answer_comes_as_the_model_writes_it(client: openai.AsyncOpenAI) -> None:
    chunks = await chunks_of(client, "writer", stream_options={"include_usage": True})

    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert (len(pieces), "".join(pieces)) == (3, "one two three")
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 7


async def test_the_steps_of_a_run_are_told_beside_the_answer(client: openai.AsyncOpenAI) -> None:
    chunks = await chunks_of(client, "sums")

    steps = {step["step"]: step for step in steps_of(chunks)}
    assert text_of(chunks) == "it is 42"
    assert steps["ToolStarted"]["arguments"] == '{"expression": "6*7"}'
    assert (steps["ToolEnded"]["callId"], steps["ToolEnded"]["content"]) == (steps["ToolStarted"]["callId"], "42")
    assert (steps["RunEnded"]["exit"], steps["RunEnded"]["error"]) == ("satisfied", None)


async def test_a_team_tells_whom_it_asks_and_answers_with_its_last_member(client: openai.AsyncOpenAI) -> None:
    chunks = await chunks_of(client, "pair")

    asked = [step["agent"] for step in steps_of(chunks) if step["step"] == "AskStarted"]
    assert (asked, text_of(chunks)) == (["sums", "echo"], "it is 42")


async def test_what_was_said_before_reaches_the_model_of_an_agent_that_remembers_nothing(
    client: openai.AsyncOpenAI, server: OpenAIServer
) -> None:
    boss: Any = {"role": "system", "content": "Be rude."}
    await client.chat.completions.create(model="writer", messages=[boss, *LONG_AGO, user("Who am I?")])

    said = [(message["role"], message["content"]) for message in server.requests[-1]["messages"]]
    assert said == [
        ("user", "Instructions of who asks: Be rude."),
        ("user", "My name is Ada."),
        ("assistant", "Hello Ada."),
        ("user", "Who am I?"),
    ]


async def test_what_was_said_before_is_told_to_a_team(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(model="parrots", messages=[*LONG_AGO, user("Who am I?")])

    answer = completion.choices[0].message.content or ""
    assert "My name is Ada." in answer
    assert answer.endswith("Who am I?")


async def test_images_reach_the_model(client: openai.AsyncOpenAI, server: OpenAIServer) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    await client.chat.completions.create(model="writer", messages=[user([{"type": "text", "text": "see"}, picture])])

    assert picture in server.requests[-1]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("model", "messages", "error", "code"),
    [
        ("nobody", [user("hi")], openai.NotFoundError, "AgentNotFound"),
        ("echo", LONG_AGO, openai.BadRequestError, "InvalidRequest"),
        ("echo", [], openai.BadRequestError, "InvalidRequest"),
        ("echo", [{"role": "pope", "content": "hi"}], openai.BadRequestError, "InvalidRequest"),
        ("echo", [user([NO_PICTURE])], openai.BadRequestError, "InvalidRequest"),
        ("echo", [user("x" * 5000)], openai.APIStatusError, "BodyTooLarge"),
        ("broken", [user("hi")], openai.InternalServerError, "ModelError"),
    ],
)
async def test_errors_have_the_form_that_the_client_knows(
    client: openai.AsyncOpenAI, model: str, messages: Any, error: type[openai.APIError], code: str
) -> None:
    with pytest.raises(error) as failed:
        await client.chat.completions.create(model=model, messages=messages)

    assert failed.value.code == code


async def test_a_run_that_fails_on_its_way_ends_the_stream_with_the_error(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.APIError, match="out of order"):
        await chunks_of(client, "broken")


async def test_a_run_that_cannot_begin_is_refused_before_the_stream(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        await chunks_of(client, "nobody")


async def test_a_failed_run_is_not_run_again_by_the_client(node: NodeProcess, client: openai.AsyncOpenAI) -> None:
    before = await runs(node, "broken")

    with pytest.raises(openai.InternalServerError):
        await client.chat.completions.create(model="broken", messages=[user("hi")])

    assert await runs(node, "broken") == before + 1


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_caller_that_goes_away_takes_the_run_along(
    node: NodeProcess, server: OpenAIServer, streamed: bool
) -> None:
    given_up = server.given_up
    asked = len(server.requests)
    body = {"model": "held", "messages": [user("hi")], "stream": streamed}
    async with aiohttp.ClientSession() as session:
        if streamed:
            async with session.post(f"{node.url}/v1/chat/completions", json=body) as response:
                await response.content.readline()
                await until(lambda: len(server.requests) > asked, what="the model is asked")
        else:
            with pytest.raises(TimeoutError):
                await session.post(f"{node.url}/v1/chat/completions", json=body, timeout=aiohttp.ClientTimeout(total=1))

    await until(lambda: server.given_up > given_up, what="the model's call is given up")
