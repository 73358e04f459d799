"""A node, asked over HTTP in both forms."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from isek.node.plain import PlainAnswer

from tests.support.node_process import NodeProcess, agent, ask, scripted, team

RESOURCES = [
    agent("echo", {"provider": "Echo"}, description="Says it again", capabilities=["echoing"]),
    agent(
        "sums",
        scripted({"toolCalls": [{"name": "calculator", "arguments": {"expression": "6*7"}}]}, {"text": "it is 42"}),
        tools=[{"builtin": "calculator"}],
    ),
    agent("broken", scripted({"error": "out of order"})),
    agent("hanging", scripted({"delayMilliseconds": 60000}, timeoutSeconds=1)),
    agent("slow", scripted({"delayMilliseconds": 60000}), limits={"timeoutSeconds": 1}),
    agent(
        "relay",
        scripted({"toolCalls": [{"name": "echo", "arguments": {"message": "psst"}}]}, {"text": "asked"}),
        tools=[{"agent": {"name": "echo"}}],
    ),
    team("pair", "sums", "echo"),
    team("unlucky", "echo", "broken"),
    team("lost", "echo", "nobody"),
    team("circle-a", "circle-b", limits={"maxConcurrentTasks": 20}),
    team("circle-b", "circle-a", limits={"maxConcurrentTasks": 20}),
]

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeProcess]:
    async with NodeProcess(tmp_path_factory.mktemp("node"), RESOURCES, max_body_bytes=4096) as process:
        yield process


async def get(url: str) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.json()


async def post(url: str, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    about = JSON | headers
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=about) as response:
        return response.status, await response.json()


async def test_the_plain_form_is_answered_with_a_trace(node: NodeProcess) -> None:
    status, body = await ask(node.url, "hello", agent="echo")

    answer = PlainAnswer.model_validate(body)
    trace = answer.metadata["isek.io/trace"]
    assert (status, answer.status, answer.response) == (200, "received", "hello")
    assert (trace.agent, trace.node, trace.path, trace.children) == ("echo.default", "node.default", "http", [])


async def test_an_agent_uses_its_tools(node: NodeProcess) -> None:
    assert (await ask(node.url, "6*7?", agent="sums"))[1]["response"] == "it is 42"


async def test_an_agent_asks_another_as_a_tool(node: NodeProcess) -> None:
    _, body = await ask(node.url, "go", agent="relay")

    [child] = body["metadata"]["isek.io/trace"]["children"]
    assert (body["response"], child["agent"], child["path"]) == ("asked", "echo.default", "local")


async def test_a_team_asks_its_members_one_after_the_other(node: NodeProcess) -> None:
    _, body = await ask(node.url, "6*7?", agent="pair")

    trace = body["metadata"]["isek.io/trace"]
    assert body["response"] == "it is 42"
    assert [(child["agent"], child["path"]) for child in trace["children"]] == [
        ("sums.default", "local"),
        ("echo.default", "local"),
    ]


@pytest.mark.parametrize(
    ("name", "status", "code", "message"),
    [
        ("broken", 502, "ModelError", "out of order"),
        ("hanging", 504, "ModelTimeout", "the script did not answer within 1 s"),
        ("slow", 504, "DeadlineExceeded", "there was no answer within"),
        ("unlucky", 502, "MemberFailed", "member 'broken' (2 of 2) failed: ModelError: out of order"),
        ("lost", 502, "MemberFailed", "member 'nobody' (2 of 2) failed: AgentNotFound: no agent 'nobody.default'"),
        ("circle-a", 502, "MemberFailed", "CallDepthExceeded: agents asked each other 16 calls deep"),
        ("nobody", 404, "AgentNotFound", "this node does not host an agent 'nobody'; it hosts: broken, circle-a"),
    ],
)
async def test_a_failure_is_answered_with_a_code_and_the_node_stays_ready(
    node: NodeProcess, name: str, status: int, code: str, message: str
) -> None:
    got, body = await ask(node.url, "hello", agent=name)

    assert (got, body["status"], body["error"]["code"]) == (status, "failed", code)
    assert message in body["error"]["message"]
    assert await get(f"{node.url}/readyz") == (200, {"status": "ready"})


async def test_the_trace_of_a_failure_shows_who_was_asked(node: NodeProcess) -> None:
    _, body = await ask(node.url, "hello", agent="unlucky")

    trace = body["metadata"]["isek.io/trace"]
    assert trace["error"] == "MemberFailed"
    assert [(child["agent"], child.get("error")) for child in trace["children"]] == [
        ("echo.default", None),
        ("broken.default", "ModelError"),
    ]


async def test_the_callers_deadline_counts(node: NodeProcess) -> None:
    status, body = await ask(node.url, "hello", agent="hanging", headers={"Isek-Timeout-Ms": "50"})

    assert (status, body["error"]["code"]) == (504, "DeadlineExceeded")


@pytest.mark.parametrize(
    ("body", "headers", "status", "message"),
    [
        (b"not json", {}, 400, "the body is not JSON"),
        (b"\xff\xfe", {}, 400, "the body is not JSON"),
        (b"[" * 3000, {}, 400, "the body is not JSON"),
        (b"", {}, 400, "the body is not JSON"),
        (b'{"message": "half of a character: \\ud800"}', {}, 400, "the body is not JSON"),
        (b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "GetTask"}', {}, 400, "the body is not JSON"),
        (b'"text"', {}, 400, "Input should be"),
        (b"{}", {}, 400, "message: is required"),
        (b'{"message": 1, "session_id": []}', {}, 400, "message: Input should be a valid string; session_id: Input"),
        (b'{"message": "x"}', {"Isek-Timeout-Ms": "soon"}, 400, "header Isek-Timeout-Ms must be a whole number"),
        (b'{"message": "x"}', {"Isek-Call-Depth": "17"}, 508, "the call is 17 calls deep"),
        (b'{"message": "x"}', {"Content-Type": "text/plain"}, 415, "the body must be application/json, not text/plain"),
        (b'{"message": "x"}', {"Content-Type": ""}, 415, "the body must be application/json, not of no type"),
        (b'{"message": "%s"}' % (b"x" * 5000), {}, 413, "the body is larger than 4096 bytes"),
    ],
)
async def test_a_bad_request_is_answered_with_what_is_wrong(
    node: NodeProcess, body: bytes, headers: dict[str, str], status: int, message: str
) -> None:
    got, answer = await post(f"{node.url}/agents/echo", body, **headers)

    assert got == status
    assert message in answer["error"]["message"]
    assert set(answer["error"]) == {"code", "message", "hint"}


@pytest.mark.parametrize("name", ["evil.example", "evil.example:80", "localhost.evil.example", "[", ""])
async def test_a_web_page_that_leads_its_own_name_to_this_machine_gets_nothing(node: NodeProcess, name: str) -> None:
    status, body = await post(f"{node.url}/agents/echo", b'{"message": "x"}', Host=name)

    assert (status, body["error"]["code"]) == (421, "ForeignHost")


@pytest.mark.parametrize("name", ["localhost:80", "LOCALHOST", "echo.localhost", "127.0.0.1", "[::1]:80"])
async def test_a_node_is_asked_by_the_names_of_its_machine(node: NodeProcess, name: str) -> None:
    assert (await post(f"{node.url}/agents/echo", b'{"message": "x"}', Host=name))[0] == 200


async def test_a_body_of_unknown_length_is_bounded_too(node: NodeProcess) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1024

    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{node.url}/agents/echo", data=endless(), headers=JSON) as response,
    ):
        assert (response.status, (await response.json())["error"]["code"]) == (413, "BodyTooLarge")


async def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(node: NodeProcess) -> None:
    host, port = node.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = "POST /agents/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Expect: 100-continue\r\nContent-Length: 4097\r\n\r\n".encode())

    assert await asyncio.wait_for(reader.readline(), 10) == b"HTTP/1.1 413 Request Entity Too Large\r\n"
    writer.close()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_a_body_that_is_larger_than_it_looks_is_not_read(node: NodeProcess, encoding: str) -> None:
    bomb = gzip.compress(b"0" * 1_000_000)

    status, body = await post(f"{node.url}/agents/echo", bomb, **{"Content-Encoding": encoding})

    assert (status, body["error"]["code"]) == (415, "UnsupportedMediaType")


async def test_a_node_with_several_agents_lists_them_where_one_is_needed(node: NodeProcess) -> None:
    status, body = await ask(node.url, "hello")
    assert (status, body["error"]["code"]) == (404, "AgentNotFound")
    assert "echo" in body["error"]["message"]

    status, body = await get(f"{node.url}/.well-known/agent-card.json")
    assert (status, body["error"]["code"]) == (404, "AgentNotFound")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/nothing", "NotFound"),
        ("/openapi.json", "NotFound"),
        ("/docs", "NotFound"),
        ("/redoc", "NotFound"),
        ("/agents/echo", "MethodNotAllowed"),
    ],
)
async def test_other_paths_and_methods_are_refused_in_the_one_shape(node: NodeProcess, path: str, code: str) -> None:
    _, body = await get(node.url + path)

    assert body["error"]["code"] == code


async def test_only_the_sidecar_may_ask_for_peers(node: NodeProcess) -> None:
    status, body = await get(f"{node.url}/isek/peers/12D3KooW")

    assert (status, body["error"]["code"]) == (401, "Unauthorized")


async def test_the_card_tells_what_the_agent_can_do_and_where_it_was_reached(node: NodeProcess) -> None:
    _, card = await get(f"{node.url}/agents/echo/.well-known/agent-card.json")

    assert (card["name"], card["description"]) == ("echo", "Says it again")
    assert [(skill["id"], skill["tags"]) for skill in card["skills"]] == [("echoing", ["echoing"])]
    assert {(entry["url"], entry["protocolVersion"]) for entry in card["supportedInterfaces"]} == {
        (f"{node.url}/agents/echo", "1.0"),
        (f"{node.url}/agents/echo", "0.3"),
    }


async def test_version_0_3_is_spoken_too(node: NodeProcess) -> None:
    said = {"kind": "message", "messageId": "1", "role": "user", "parts": [{"kind": "text", "text": "hello"}]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{node.url}/agents/echo",
            json={"jsonrpc": "2.0", "id": 7, "method": "message/send", "params": {"message": said}},
        ) as response,
    ):
        answer = await response.json()

    assert (answer["id"], answer["result"]["kind"]) == (7, "task")
    assert answer["result"]["artifacts"][0]["parts"][0]["text"] == "hello"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"jsonrpc": "2.0", "id": 1, "method": "Nothing"}', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": 1}}', -32602),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "SendMessage"}', -32600),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "SendMessage"}]', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": {}}', -32602),
    ],
)
async def test_what_is_no_good_json_rpc_gets_a_json_rpc_error(node: NodeProcess, body: bytes, code: int) -> None:
    _, answer = await post(f"{node.url}/agents/echo", body, **{"A2A-Version": "1.0"})

    assert (answer["jsonrpc"], answer["error"]["code"]) == ("2.0", code)


async def test_no_traceback_reached_the_log(node: NodeProcess) -> None:
    for body in (b"not json", b'{"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": 1}}'):
        await post(f"{node.url}/agents/echo", body)

    assert "Traceback" not in node.text
