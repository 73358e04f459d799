"""The official clients of A2A, OpenAI and MCP, as they come, ask a team on a cluster."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
import httpx
import pytest
from a2a.client import ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from mcp import Client as MCPClient
from openai import AsyncOpenAI

from tests.support.a2a import GRPC, HTTP_JSON, JSON_RPC, says, stream, text_of
from tests.support.kubectl import Kubectl

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart"
QUESTION = "Why is the sky blue?"
ANSWER = f"You asked: {QUESTION}"


@pytest.fixture
async def newsroom(module_namespace: Kubectl) -> Kubectl:
    """Kubectl in the namespace of the quickstart; the first test applies it."""
    await module_namespace("apply", "-f", QUICKSTART)
    await module_namespace.until_condition("isekteam", "newsroom", within=180)
    return module_namespace


@asynccontextmanager
async def url_of(newsroom: Kubectl) -> AsyncIterator[str]:
    async with newsroom.port_forward("service/newsroom-team", 8080) as port:
        yield f"http://127.0.0.1:{port}"


async def test_the_openai_client_asks_by_both_of_its_apis(newsroom: Kubectl) -> None:
    async with url_of(newsroom) as url, AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client:
        assert [model.id async for model in client.models.list()] == ["newsroom"]

        completion = await client.chat.completions.create(
            model="newsroom", messages=[{"role": "user", "content": QUESTION}]
        )
        assert ANSWER in (completion.choices[0].message.content or "")

        async with client.responses.stream(model="newsroom", input=QUESTION) as events:
            async for _ in events:
                pass
            assert ANSWER in (await events.get_final_response()).output_text


async def test_the_mcp_client_finds_the_team_as_a_tool(newsroom: Kubectl) -> None:
    async with url_of(newsroom) as url, MCPClient(f"{url}/mcp") as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["newsroom"]

        result = await client.call_tool("newsroom", {"message": QUESTION})

        assert result.structured_content is not None
        assert ANSWER in result.structured_content["answer"]


@pytest.mark.parametrize("binding", [JSON_RPC, HTTP_JSON, GRPC])
async def test_the_a2a_client_asks_by_each_binding_of_the_card(newsroom: Kubectl, binding: str) -> None:
    async with (
        url_of(newsroom) as url,
        newsroom.port_forward("service/newsroom-team", 8082) as grpc_port,
        httpx.AsyncClient(timeout=60) as http,
    ):
        card = await A2ACardResolver(http, f"{url}/agents/newsroom").get_agent_card()
        [offered] = [
            each
            for each in card.supported_interfaces
            if (each.protocol_binding, each.protocol_version) == (binding, "1.0")
        ]
        if binding == GRPC:
            offered.url = f"127.0.0.1:{grpc_port}"  # another port-forward than that of the card
        del card.supported_interfaces[:]
        card.supported_interfaces.append(offered)
        config = ClientConfig(
            httpx_client=http,
            grpc_channel_factory=grpc.aio.insecure_channel,
            supported_protocol_bindings=[binding],
            streaming=False,
        )
        client = ClientFactory(config).create(card)

        [response] = await stream(client, says(QUESTION))

        assert ANSWER in text_of(response.task)
        await client.close()
