"""A node, asked by MCP's own client as if its agents were tools."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from isek.trace import TRACE_KEY
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult

from tests.support.node_process import NodeProcess, agent, scripted, team
from tests.support.openai_server import OpenAIServer, Turn
from tests.support.sidecar import PeerNode
from tests.support.waiting import until

ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"])
"""Clients of protocols before 2026-07-28, and those since."""
JSON_RPC = {"Accept": "application/json, text/event-stream"}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[OpenAIServer]:
    script: dict[str, list[Turn]] = {"held": [{"text": "late", "held": True}]}
    async with OpenAIServer(script) as serving:
        yield serving


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory, server: OpenAIServer) -> AsyncIterator[NodeProcess]:
    sums = scripted({"toolCalls": [{"name": "calculator", "arguments": {"expression": "6*7"}}]}, {"text": "it is 42"})
    held = {"provider": "OpenAI", "name": "held", "baseURL": server.url}
    resources = [
        agent("echo", {"provider": "Echo"}, description="Says it again"),
        agent("sums", sums, tools=[{"builtin": "calculator"}]),
        agent("held", held, limits={"maxConcurrentTasks": 1}),
        agent("broken", scripted({"error": "out of order"})),
        team("pair", "sums", "echo"),
    ]
    async with NodeProcess(tmp_path_factory.mktemp("node"), resources, max_body_bytes=4096) as process:
        yield process


def client_of(node: NodeProcess, mode: str = "auto") -> Client:
    return Client(f"{node.url}/mcp", mode=mode)


def text_of(result: CallToolResult) -> str:
    return "".join(getattr(part, "text", "") for part in result.content)


@ERAS
async def test_agents_and_teams_are_tools(node: NodeProcess, mode: str) -> None:
    async with client_of(node, mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}

    assert tools.keys() == {"echo", "sums", "held", "broken", "pair"}
    assert tools["echo"].description == "Says it again"
    assert tools["echo"].input_schema["required"] == ["message"]
    assert tools["echo"].input_schema["properties"].keys() == {"message", "sessionId"}


@ERAS
async def test_two_agents_of_a_node_answer_with_their_trace(node: NodeProcess, mode: str) -> None:
    async with client_of(node, mode) as client:
        sums = await client.call_tool("sums", {"message": "6*7?"})
        echo = await client.call_tool("echo", {"message": "hi"})

    assert (text_of(sums), sums.structured_content) == ("it is 42", {"answer": "it is 42"})
    assert text_of(echo) == "hi"
    assert not sums.is_error
    assert (sums.meta or {})[TRACE_KEY]["agent"] == "sums.default"


@ERAS
async def test_the_steps_of_a_team_are_progress(node: NodeProcess, mode: str) -> None:
    told: list[tuple[float, str | None]] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message))

    async with client_of(node, mode) as client:
        result = await client.call_tool("pair", {"message": "6*7?"}, progress_callback=tell)

    said = [message for _, message in told]
    assert text_of(result) == "it is 42"
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert said.index("pair asks sums") < said.index("sums uses calculator") < said.index("pair asks echo")


@ERAS
async def test_a_call_that_is_cancelled_ends_the_run(node: NodeProcess, server: OpenAIServer, mode: str) -> None:
    given_up, asked = server.given_up, len(server.requests)
    async with client_of(node, mode) as client:
        calling = asyncio.create_task(client.call_tool("held", {"message": "hi"}))
        await until(lambda: len(server.requests) > asked, what="the model is asked")
        calling.cancel()

        await until(lambda: server.given_up > given_up, what="the model's call is given up")
        assert text_of(await client.call_tool("echo", {"message": "still there?"})) == "still there?"


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_a_caller_that_goes_away_takes_the_run_along(
    node: NodeProcess, server: OpenAIServer, version: str
) -> None:
    given_up, asked = server.given_up, len(server.requests)
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }
    params = {"name": "held", "arguments": {"message": "hi"}, "_meta": meta}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {"MCP-Protocol-Version": version, "Mcp-Method": "tools/call", "Mcp-Name": "held"}

    async def ask() -> str:
        async with posted(node, call, **headers) as response:
            return await response.text()

    asking = asyncio.create_task(ask())
    await until(lambda: len(server.requests) > asked, what="the model is asked")
    asking.cancel()

    await until(lambda: server.given_up > given_up, what="the model's call is given up")


@ERAS
async def test_errors_tell_the_model_what_is_wrong_and_what_to_do(node: NodeProcess, mode: str) -> None:
    async with client_of(node, mode) as client:
        failed = await client.call_tool("broken", {"message": "hi"})
        misread = await client.call_tool("echo", {"text": "hi"})

    assert (failed.is_error, misread.is_error) == (True, True)
    assert "out of order" in text_of(failed)
    assert (failed.meta or {})["isek.io/error"]["code"] == "ModelError"
    assert (failed.meta or {})[TRACE_KEY]["error"] == "ModelError"
    assert (misread.meta or {})["isek.io/error"]["code"] == "InvalidRequest"
    assert "message" in text_of(misread)


@ERAS
async def test_a_tool_that_is_not_there_is_an_error_of_the_protocol(node: NodeProcess, mode: str) -> None:
    async with client_of(node, mode) as client:
        with pytest.raises(MCPError, match="hosts no agent 'nobody'; it hosts: broken, echo") as failed:
            await client.call_tool("nobody", {"message": "hi"})

    assert failed.value.data["code"] == "AgentNotFound"


async def test_an_agent_takes_no_more_tasks_than_it_may(node: NodeProcess, server: OpenAIServer) -> None:
    given_up, asked = server.given_up, len(server.requests)
    async with client_of(node) as client, client_of(node) as other:
        first = asyncio.create_task(client.call_tool("held", {"message": "hi"}))
        await until(lambda: len(server.requests) > asked, what="the model is asked")
        second = await other.call_tool("held", {"message": "hi"})
        first.cancel()
        await until(lambda: server.given_up > given_up, what="the model's call is given up")

    assert (second.meta or {})["isek.io/error"]["code"] == "TooManyTasks"


@asynccontextmanager
async def posted(node: NodeProcess, said: Any, **headers: str) -> AsyncIterator[aiohttp.ClientResponse]:
    async with (
        aiohttp.ClientSession(headers={**JSON_RPC, **headers}) as session,
        session.post(f"{node.url}/mcp", json=said) as response,
    ):
        yield response


async def test_pages_of_other_sites_and_large_bodies_are_refused(node: NodeProcess) -> None:
    async with posted(node, LIST, Origin="https://evil.example") as foreign:
        assert (foreign.status, (await foreign.json())["error"]["data"]["code"]) == (403, "ForeignOrigin")
    async with posted(node, LIST, Origin=node.url) as own:
        assert own.status == 200
    async with posted(node, LIST, Host="evil.example") as rebound:
        assert rebound.status == 421
    async with posted(node, {**LIST, "params": {"x": "x" * 5000}}) as large:
        assert (large.status, (await large.json())["error"]["data"]["code"]) == (413, "BodyTooLarge")


@pytest.mark.parametrize("said", [[], {}, "hi", [LIST], {"method": 1}, {"jsonrpc": "2.0", "id": 1}])
async def test_what_is_no_request_is_refused_as_the_protocol_has_it(node: NodeProcess, said: Any) -> None:
    async with posted(node, said) as response:
        assert response.status == 400
        assert (await response.json())["error"]["code"] < 0


async def test_the_deadline_of_a_caller_is_kept(node: NodeProcess) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    late = {"name": "held", "arguments": {"message": "hi"}}
    async with posted(node, {**call, "params": late}, **{"Isek-Timeout-Ms": "300"}) as response:
        assert "DeadlineExceeded" in await response.text()


@asynccontextmanager
async def in_turns(*nodes: NodeProcess) -> AsyncIterator[str]:
    """The URL of what hands one request to the first node and the next to the second, as before replicas."""
    turns = cycle(nodes)

    async def pass_on(request: web.Request) -> web.Response:
        kept = {name: value for name, value in request.headers.items() if name not in {"Host", "Content-Length"}}
        url = f"{next(turns).url}{request.path}"
        async with session.request(request.method, url, headers=kept, data=await request.read()) as answer:
            said = {name: answer.headers[name] for name in ("Content-Type", "Mcp-Session-Id") if name in answer.headers}
            return web.Response(body=await answer.read(), status=answer.status, headers=said)

    app = web.Application()
    app.router.add_route("*", "/mcp", pass_on)
    runner = web.AppRunner(app)
    async with aiohttp.ClientSession() as session:
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
        finally:
            await runner.cleanup()


@ERAS
async def test_any_replica_takes_any_request(tmp_path: Path, mode: str) -> None:
    resources = [agent("echo", {"provider": "Echo"})]
    async with (
        NodeProcess(tmp_path, resources, node_id="one.default") as one,
        NodeProcess(tmp_path, resources, node_id="two.default") as two,
        in_turns(one, two) as url,
        Client(url, mode=mode) as client,
    ):
        answers = [await client.call_tool("echo", {"message": f"{number}"}) for number in range(4)]

    assert [text_of(answer) for answer in answers] == ["0", "1", "2", "3"]
    assert {(answer.meta or {})[TRACE_KEY]["node"] for answer in answers} == {"one.default", "two.default"}


@ERAS
async def test_agents_of_another_node_are_tools_through_the_sidecars(tmp_path: Path, center: str, mode: str) -> None:
    far = PeerNode(tmp_path / "far", [agent("echo", {"provider": "Echo"})], node_id="far.default", registry_url=center)
    near = PeerNode(tmp_path / "near", [], node_id="near.default", registry_url=center)
    async with far, near:
        token = {"Authorization": f"Bearer {near.sidecar.token_file.read_text().strip()}"}
        url = f"{near.sidecar.api_url}/call_peer?p2p_address={far.sidecar.p2p_address}&path=/mcp"
        async with (
            create_mcp_http_client(headers=token) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode) as client,
        ):
            result = await client.call_tool("echo", {"message": "hi"})

    trace = (result.meta or {})[TRACE_KEY]
    assert (text_of(result), trace["node"], trace["path"]) == ("hi", "far.default", "libp2p")
