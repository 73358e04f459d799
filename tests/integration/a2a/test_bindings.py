"""What goes over the wire: JSON-RPC and HTTP+JSON, their errors, versions, extensions and parts."""

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import aiohttp
import httpx
import pytest
from a2a.client.card_resolver import A2ACardResolver
from a2a.types import Part
from a2a.utils.errors import ContentTypeNotSupportedError, InvalidParamsError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from isek.node.a2a_endpoint import OPERATIONS
from isek.protocol.a2a_context import TRACE

from tests.support.a2a import BINDINGS, HEADERS, a2a_client, says, send, stream, text_of
from tests.support.node_process import NodeProcess
from tests.support.openai_server import OpenAIServer

Json = dict[str, Any]
V1 = BINDINGS[:2]
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")


def asked(*parts: Json, **message: Any) -> Json:
    return {"message": {"messageId": "m", "role": "ROLE_USER", "parts": list(parts) or [{"text": "hello"}], **message}}


@asynccontextmanager
async def answer(
    node: NodeProcess, method: str, path: str, *, headers: Mapping[str, str] = HEADERS, **more: Any
) -> AsyncIterator[aiohttp.ClientResponse]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, node.url + path, headers=headers, **more) as response,
    ):
        yield response


async def rpc(node: NodeProcess, method: str, params: Any, agent: str = "echo", **headers: str) -> Json:
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    async with answer(node, "POST", f"/agents/{agent}", json=body, headers=HEADERS | headers) as response:
        assert response.content_type == "application/json"
        said: Json = await response.json()
        assert (said["jsonrpc"], said["id"]) == ("2.0", 7)
        return said


async def rest(node: NodeProcess, method: str, path: str, agent: str = "echo", **more: Any) -> tuple[int, Json]:
    async with answer(node, method, f"/agents/{agent}{path}", **more) as response:
        return response.status, await response.json(content_type=None)


ERRORS = {
    ("GetTask", "GET", "/tasks/none"): ({"id": "none"}, -32001, 404, "NOT_FOUND", "TASK_NOT_FOUND"),
    ("SendMessage", "POST", "/message:send"): (
        asked({"raw": "AA==", "mediaType": "application/zip"}),
        -32005,
        400,
        "INVALID_ARGUMENT",
        "CONTENT_TYPE_NOT_SUPPORTED",
    ),
    ("GetExtendedAgentCard", "GET", "/extendedAgentCard"): (
        {},
        -32004,
        400,
        "FAILED_PRECONDITION",
        "UNSUPPORTED_OPERATION",
    ),
    ("ListTasks", "GET", "/tasks?pageSize=0"): ({"pageSize": 0}, -32602, 400, "INVALID_ARGUMENT", "INVALID_PARAMS"),
}


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: case[0])
async def test_errors_have_their_code_reason_and_domain_in_both_bindings(
    node: NodeProcess, case: tuple[str, str, str]
) -> None:
    name, method, path = case
    params, code, status, google, reason = ERRORS[case]

    by_rpc = (await rpc(node, name, params))["error"]
    got, by_rest = await rest(node, method, path, json=params if method == "POST" else None)

    assert (by_rpc["code"], got, by_rest["error"]["code"], by_rest["error"]["status"]) == (code, status, status, google)
    assert by_rpc["message"] == by_rest["error"]["message"]
    for details in (by_rpc["data"], by_rest["error"]["details"]):
        [info] = [each for each in details if each["@type"] == ERROR_INFO]
        assert (info["reason"], info["domain"]) == (reason, "a2a-protocol.org")
        assert all("@type" in each for each in details)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"not json", -32700),
        (b"\xff", -32700),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "Nothing"}', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": 1}}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": []}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "SendMessage"}', -32602),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "SendMessage"}', -32600),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "SendMessage"}]', -32600),
    ],
)
async def test_what_is_no_good_json_rpc_gets_its_standard_error(node: NodeProcess, body: bytes, code: int) -> None:
    async with answer(node, "POST", "/agents/echo", data=body) as response:
        said = await response.json()

    assert (response.status, said["jsonrpc"], said["error"]["code"]) == (200, "2.0", code)


async def test_a_missing_field_is_named(node: NodeProcess) -> None:
    error = (await rpc(node, "SendMessage", {"message": {"role": "ROLE_USER", "parts": [{"text": "x"}]}}))["error"]

    [violations] = [each for each in error["data"] if each["@type"].endswith("BadRequest")]
    assert [each["field"] for each in violations["fieldViolations"]] == ["message.message_id"]


@pytest.mark.parametrize("media_type", ["application/a2a+json", "application/json"])
async def test_http_json_is_taken_and_told_in_its_own_media_type(node: NodeProcess, media_type: str) -> None:
    headers = HEADERS | {"Content-Type": media_type}
    async with answer(node, "POST", "/agents/echo/message:send", json=asked(), headers=headers) as response:
        told = await response.json(content_type="application/a2a+json")

    assert told["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert told["task"]["artifacts"][0]["parts"] == [{"text": "hello", "mediaType": "text/plain"}]


async def test_a_web_page_cannot_send_by_http_json(node: NodeProcess) -> None:
    headers = HEADERS | {"Content-Type": "text/plain"}
    status, said = await rest(node, "POST", "/message:send", json=asked(), headers=headers)

    assert (status, said["error"]["details"][0]["reason"]) == (415, "UnsupportedMediaType")


async def test_errors_of_the_node_have_the_form_of_the_binding(node: NodeProcess) -> None:
    status, said = await rest(node, "GET", "/tasks", agent="nobody")

    assert (status, said["error"]["code"], said["error"]["status"]) == (404, 404, "NOT_FOUND")
    assert said["error"]["details"][0] == {
        "@type": ERROR_INFO,
        "reason": "AgentNotFound",
        "domain": "isek.io",
        "metadata": {"hint": "take one of these names: GET /v1/models lists them, POST /agents/<name> asks one"},
    }


async def test_a_node_that_cannot_take_more_says_so_and_when_to_ask_again(node: NodeProcess) -> None:
    params = asked() | {"configuration": {"returnImmediately": True}}
    task_id = (await rpc(node, "SendMessage", params, "busy"))["result"]["task"]["id"]
    async with answer(node, "POST", "/agents/busy/message:send", json=asked()) as response:
        said = await response.json(content_type=None)
        assert (response.status, response.headers["Retry-After"]) == (429, "1")
        assert (said["error"]["status"], said["error"]["details"][0]["reason"]) == (
            "RESOURCE_EXHAUSTED",
            "TooManyTasks",
        )
    await rpc(node, "CancelTask", {"id": task_id}, "busy")


async def test_names_are_camel_case_and_times_are_utc_with_milliseconds(node: NodeProcess) -> None:
    task = (await rpc(node, "SendMessage", asked()))["result"]["task"]
    listed = (await rpc(node, "ListTasks", {"contextId": task["contextId"]}))["result"]

    assert set(task) == {"id", "contextId", "status", "artifacts", "history"}
    assert task["status"]["timestamp"][10] == "T"
    assert task["status"]["timestamp"].endswith("Z")
    assert len(task["status"]["timestamp"]) == len("2026-01-01T00:00:00.000Z")
    assert listed["nextPageToken"] == ""
    assert "artifacts" not in listed["tasks"][0]


@pytest.mark.parametrize("version", ["1.0", "1.0.7"])
async def test_a_patch_of_the_version_makes_no_difference(node: NodeProcess, version: str) -> None:
    assert "result" in await rpc(node, "SendMessage", asked(), **{"A2A-Version": version})


@pytest.mark.parametrize("version", ["2.0", "1.1", "0.2", "new"])
async def test_another_version_is_refused(node: NodeProcess, version: str) -> None:
    by_rpc = await rpc(node, "SendMessage", asked(), **{"A2A-Version": version})
    status, by_rest = await rest(
        node, "POST", "/message:send", json=asked(), headers=HEADERS | {"A2A-Version": version}
    )

    assert (by_rpc["error"]["code"], status) == (-32009, 400)
    assert by_rest["error"]["details"][0]["reason"] == "VERSION_NOT_SUPPORTED"


async def test_who_names_no_version_speaks_0_3(node: NodeProcess) -> None:
    by_rpc = await rpc(node, "SendMessage", asked(), **{"A2A-Version": ""})
    old = {"kind": "message", "messageId": "1", "role": "user", "parts": [{"kind": "text", "text": "hello"}]}
    told = await rpc(node, "message/send", {"message": old}, **{"A2A-Version": ""})

    assert by_rpc["error"]["code"] == -32009
    assert "send A2A-Version: 1.0" in by_rpc["error"]["message"]
    assert (told["result"]["kind"], told["result"]["status"]["state"]) == ("task", "completed")


@pytest.mark.parametrize("version", ["", "0.3", "0.3.1"])
async def test_http_json_is_spoken_in_1_0_alone_and_says_so(node: NodeProcess, version: str) -> None:
    for method, path in OPERATIONS:
        filled, body = path.format(id="t", push_id="p"), asked() if method == "POST" else None
        status, said = await rest(node, method, filled, headers=HEADERS | {"A2A-Version": version}, json=body)

        assert (status, said["error"]["details"][0]["reason"]) == (400, "VERSION_NOT_SUPPORTED"), (method, path)
        assert said["error"]["message"].endswith("; send A2A-Version: 1.0"), (method, path)


async def test_a_method_of_0_3_is_none_of_1_0(node: NodeProcess) -> None:
    error = (await rpc(node, "message/send", asked()))["error"]

    assert (error["code"], "SendMessage" in error["message"]) == (-32601, True)


async def test_the_version_may_stand_in_the_query(node: NodeProcess) -> None:
    status, said = await rest(node, "GET", "/tasks?A2A-Version=1.0", headers={})

    assert (status, "tasks" in said) == (200, True)


async def test_the_card_declares_each_binding_and_what_the_agent_takes(node: NodeProcess) -> None:
    async with httpx.AsyncClient() as http:
        card = await A2ACardResolver(http, f"{node.url}/agents/echo").get_agent_card()

    declared = [(each.protocol_binding, each.protocol_version) for each in card.supported_interfaces]
    assert set(BINDINGS) <= set(declared)
    assert declared[0] == ("JSONRPC", "1.0")
    assert card.capabilities.streaming
    assert [each.uri for each in card.capabilities.extensions] == [TRACE.uri]
    assert {"text/plain", "application/json", "image/png"} <= set(card.default_input_modes)


@pytest.mark.parametrize("interface", BINDINGS)
async def test_with_the_extension_a_task_tells_who_was_asked_and_a_stream_each_step(
    node: NodeProcess, interface: tuple[str, str]
) -> None:
    async with a2a_client(f"{node.url}/agents/relay", *interface) as client:
        told = await stream(client, says("go"), TRACE.uri, "https://example.com/unknown")
        plain = await stream(client, says("go"))

    updates = [each.status_update.metadata for each in told if each.HasField("status_update")]
    steps = [(data["isek.io/step"]["step"], data["isek.io/step"]["of"]) for data in updates if "isek.io/step" in data]
    assert ("ToolStarted", "echo") in steps
    assert updates[-1]["isek.io/trace"]["children"][0]["agent"] == "echo.default"
    assert not any(each.status_update.metadata for each in plain)


async def test_the_extensions_in_use_are_told_in_the_answer(node: NodeProcess) -> None:
    headers = HEADERS | {"A2A-Extensions": f"https://example.com/unknown, {TRACE.uri}"}
    async with answer(node, "POST", "/agents/echo/message:send", json=asked(), headers=headers) as response:
        told = await response.json(content_type=None)

    assert response.headers["A2A-Extensions"] == TRACE.uri
    assert told["task"]["metadata"]["isek.io/trace"]["agent"] == "echo.default"


@pytest.mark.parametrize("interface", BINDINGS)
async def test_texts_data_and_text_files_go_in(node: NodeProcess, interface: tuple[str, str]) -> None:
    data = Part(media_type="application/json")
    data.data.struct_value.update({"answer": 42})
    parts = (
        Part(text="look:"),
        data,
        Part(raw=b"a,b\n1,2", media_type="text/csv", filename="table.csv"),
        Part(raw=b'{"x": 1}', filename="x.json"),
    )
    async with a2a_client(f"{node.url}/agents/echo", *interface, streaming=False) as client:
        task = await send(client, says(*parts[:3]))
        guessed = await send(client, says(parts[3])) if interface in V1 else None

    assert text_of(task).splitlines() == ["look:", '{"answer": 42.0}', "table.csv:", "a,b", "1,2"]
    assert guessed is None or text_of(guessed) == 'x.json:\n{"x": 1}'


@pytest.mark.parametrize("interface", BINDINGS)
async def test_the_model_sees_the_images(node: NodeProcess, models: OpenAIServer, interface: tuple[str, str]) -> None:
    shown = (Part(raw=PNG, media_type="image/png"), Part(url="https://example.com/cat.jpg", media_type="image/jpeg"))
    async with a2a_client(f"{node.url}/agents/looker", *interface, streaming=False) as client:
        task = await send(client, says("what is it?", *shown))

    seen = str(models.requests[-1])
    assert text_of(task) == "what is it?"
    assert base64.b64encode(PNG).decode() in seen
    assert "https://example.com/cat.jpg" in seen


@pytest.mark.parametrize(
    ("part", "error"),
    [
        (Part(raw=b"PK", media_type="application/zip"), ContentTypeNotSupportedError),
        (Part(raw=b"x"), ContentTypeNotSupportedError),
        (Part(url="http://10.0.0.1/secret.txt", media_type="text/plain"), ContentTypeNotSupportedError),
        (Part(url="https://example.com/film.mp4"), ContentTypeNotSupportedError),
        (Part(text="x", media_type="audio/ogg"), ContentTypeNotSupportedError),
        (Part(raw=b"\xff\xfe", media_type="text/plain"), InvalidParamsError),
        (Part(), InvalidParamsError),
    ],
)
@pytest.mark.parametrize("interface", V1)
async def test_what_an_agent_cannot_take_is_refused(
    node: NodeProcess, part: Part, error: type[Exception], interface: tuple[str, str]
) -> None:
    async with a2a_client(f"{node.url}/agents/echo", *interface, streaming=False) as client:
        with pytest.raises(error):
            await send(client, says("look:", part))


async def test_a_message_needs_a_part(node: NodeProcess) -> None:
    async with a2a_client(f"{node.url}/agents/echo", streaming=False) as client:
        with pytest.raises(InvalidParamsError):
            await send(client, says())


async def test_a_body_that_is_too_large_is_refused(node: NodeProcess) -> None:
    status, said = await rest(node, "POST", "/message:send", data=BytesIO(b" " * 2_000_000))

    assert (status, said["error"]["details"][0]["reason"]) == (413, "BodyTooLarge")


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
PARTS = st.dictionaries(
    st.sampled_from(["text", "raw", "url", "data", "mediaType", "filename", "metadata", "kind"]),
    JSON_VALUES,
    max_size=4,
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "messageId": JSON_VALUES,
        "role": st.sampled_from(["ROLE_USER", "ROLE_AGENT", "user", 1, None]) | JSON_VALUES,
        "parts": st.lists(PARTS, max_size=3) | JSON_VALUES,
        "taskId": JSON_VALUES,
        "contextId": JSON_VALUES,
        "metadata": JSON_VALUES,
        "extensions": JSON_VALUES,
    },
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "message": MESSAGES | JSON_VALUES,
        "configuration": JSON_VALUES
        | st.fixed_dictionaries({}, optional={"historyLength": JSON_VALUES, "returnImmediately": JSON_VALUES}),
        "metadata": JSON_VALUES,
        "id": JSON_VALUES,
        "pageSize": JSON_VALUES,
        "pageToken": JSON_VALUES,
        "status": JSON_VALUES,
    },
)
METHODS = [
    "SendMessage",
    "GetTask",
    "ListTasks",
    "CancelTask",
    "SubscribeToTask",
    "message/send",
    "tasks/get",
    "tasks/x",
]


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(method=st.sampled_from(METHODS) | st.text(max_size=10), params=REQUESTS | JSON_VALUES)
async def test_whatever_is_sent_is_answered_in_json_rpc(node: NodeProcess, method: str, params: Any) -> None:
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    version = "0.3" if "/" in method else "1.0"
    async with answer(node, "POST", "/agents/echo", json=body, headers=HEADERS | {"A2A-Version": version}) as response:
        said = await response.json()

    assert response.status == 200
    assert "result" in said or said["error"]["code"] != -32603, said


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    operation=st.sampled_from([each for each in OPERATIONS if not each[1].endswith(":stream")]),
    body=REQUESTS | JSON_VALUES,
    query=st.dictionaries(
        st.sampled_from(
            ["historyLength", "pageSize", "pageToken", "status", "includeArtifacts", "statusTimestampAfter"]
        ),
        st.text(max_size=12),
        max_size=3,
    ),
)
async def test_whatever_is_sent_is_answered_in_http_json(
    node: NodeProcess, operation: tuple[str, str], body: Any, query: dict[str, str]
) -> None:
    method, path = operation
    path = path.replace("{id}", "some").replace("{push_id}", "other")
    async with answer(node, method, f"/agents/echo{path}", json=body, params=query) as response:
        said = await response.json(content_type=None)

    assert response.status < 500, said
    assert response.status == 200 or said["error"]["code"] == response.status


async def test_no_traceback_reached_the_log(node: NodeProcess) -> None:
    assert "Traceback" not in node.text
