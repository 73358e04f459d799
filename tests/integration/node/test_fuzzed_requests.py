"""Whatever is sent to a node, it answers, in the form that belongs to the path, and has no fault of its own."""

import asyncio
import json
from collections.abc import AsyncIterator
from random import Random

import aiohttp
import grpc.aio
import pytest

from tests.support.mutation import mutated
from tests.support.node_process import NodeProcess, agent, ask
from tests.support.parsers import CHAT, HEADERS, MESSAGE, OLD_MESSAGE, PARSERS, RESPONSES, Json

TIMES = 60
A2A = {"Content-Type": "application/json", "A2A-Version": "1.0"}
CALLED = {"name": "echo", "arguments": {"message": "a", "sessionId": "s"}}


def rpc(method: str, **params: object) -> Json:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


TO_ECHO = {name: CHAT[name] for name in ("model", "messages", "tools", "user")}  # it calls no tools, and knows no forms
PATHS: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "plain form": ("/agents/echo", PARSERS["plain form"].seeds[0], {}),
    "chat": ("/v1/chat/completions", json.dumps(TO_ECHO).encode(), {}),
    "chat, streamed": ("/v1/chat/completions", json.dumps(TO_ECHO | {"stream": True}).encode(), {}),
    "responses": ("/v1/responses", json.dumps(RESPONSES).encode(), {}),
    "responses, streamed": ("/v1/responses", json.dumps(RESPONSES | {"stream": True}).encode(), {}),
    "JSON-RPC": ("/agents/echo", json.dumps(rpc("SendMessage", message=MESSAGE)).encode(), A2A),
    "JSON-RPC 0.3": ("/agents/echo", json.dumps(rpc("message/send", message=OLD_MESSAGE)).encode(), {}),
    "tasks": ("/agents/echo", json.dumps(rpc("ListTasks", pageSize=1, pageToken="a", contextId="c")).encode(), A2A),
    "HTTP+JSON": ("/agents/echo/message:send", json.dumps({"message": MESSAGE}).encode(), A2A),
    "MCP": (
        "/mcp",
        json.dumps(rpc("tools/call", **CALLED)).encode(),
        {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"},
    ),
    "MCP, a cancellation": ("/mcp", json.dumps(rpc("notifications/cancelled", requestId=1)).encode(), {}),
    "publication": ("/topics/news", PARSERS["publication"].seeds[0], {}),
    "messages": ("/isek/messages", PARSERS["messages handed over"].seeds[0], {}),
    "history": ("/isek/history", PARSERS["question about the past"].seeds[0], {}),
    "bids": ("/isek/bids", PARSERS["offer"].seeds[0], {}),
}


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeProcess]:
    only = [agent("echo", {"provider": "Echo"}, memory={"provider": "InMemory"}, topics=["news"])]
    async with NodeProcess(tmp_path_factory.mktemp("node"), only, max_body_bytes=1024 * 1024, grpc_port=0) as process:
        yield process


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:
        yield session


async def without_a_fault(node: NodeProcess) -> None:
    """The log has no traceback, and the node answers."""
    status, body = await ask(node.url, "still there", agent="echo")
    assert (status, body["response"]) == (200, "still there")
    assert "Traceback" not in node.text
    assert "unexpected" not in node.text


@pytest.mark.parametrize("name", PATHS)
async def test_a_body_that_is_nearly_right_gets_an_answer(
    node: NodeProcess, session: aiohttp.ClientSession, name: str
) -> None:
    path, seed, headers = PATHS[name]
    random = Random(name)  # noqa: S311
    for _ in range(TIMES):
        body = mutated(seed, random)
        sent = {"Content-Type": "application/json", **headers}
        async with session.post(node.url + path, data=body, headers=sent) as response:
            told = await response.read()
            faults = b"InternalError" in told or b"-32603" in told
            assert not faults, (body[:1000], told[:1000])
    await without_a_fault(node)


async def test_headers_that_are_nearly_right_get_an_answer(node: NodeProcess) -> None:
    host, _, port = node.url.removeprefix("http://").partition(":")
    random = Random("headers")  # noqa: S311
    for _ in range(TIMES):
        said = mutated(HEADERS, random)[:30_000].replace(b"\n", b"\r\n")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /agents/echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n"
            b"Content-Length: 15\r\n" + said + b'\r\n\r\n{"message":"a"}'
        )
        writer.write_eof()
        async with asyncio.timeout(60):
            told = await reader.read()
        writer.close()
        assert not told or 200 <= int(told.split()[1]) < 500 or b"NotImplemented" in told, (said, told)
    await without_a_fault(node)


async def test_a_message_of_grpc_that_is_nearly_right_gets_an_answer(node: NodeProcess) -> None:
    card_url = f"{node.url}/agents/echo/.well-known/agent-card.json"
    async with aiohttp.ClientSession() as session, session.get(card_url) as response:
        card = await response.json()
    [url] = [each["url"] for each in card["supportedInterfaces"] if each["protocolBinding"] == "GRPC"]
    random = Random("grpc")  # noqa: S311
    async with grpc.aio.insecure_channel(url) as channel:
        for method in ("SendMessage", "ListTasks", "CreateTaskPushNotificationConfig"):
            call = channel.unary_unary(f"/lf.a2a.v1.A2AService/{method}")
            for _ in range(TIMES):
                body = mutated(PARSERS["A2A as protobuf"].seeds[0], random)
                code = await call(body, metadata=(("a2a-version", "1.0"),), timeout=60).code()
                assert code not in {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}, body
    await without_a_fault(node)
