"""Everything pure that reads the bytes of others, and how it may refuse them: what the fuzz tests go through."""

import binascii
import json
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from a2a.compat.v0_3 import types as old
from a2a.compat.v0_3.conversions import to_core_send_message_request
from a2a.types import ListTasksResponse, SendMessageRequest, StreamResponse, Task
from a2a.utils.errors import A2AError
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import DecodeError
from isek.api.access import Jwt
from isek.errors import IsekError
from isek.models.chat_completions import ChatCompletions
from isek.models.responses import Responses
from isek.node.caller import SharedToken, call_context
from isek.node.chat_form import read_chat_request
from isek.node.endpoint import parse_json
from isek.node.json_web_tokens import JsonWebTokens, NotAcceptedError, read_keys
from isek.node.openai_form import error_body
from isek.node.plain import PlainFailure, read_plain_request
from isek.node.responses_form import read_responses_request
from isek.node.topic_endpoints import Publication
from isek.protocol import a2a_replicas
from isek.protocol.a2a_card import holds
from isek.protocol.a2a_parts import message_of
from isek.protocol.bids import Bid, BidRequest, Bids
from isek.protocol.card_hash import hash_of_card
from isek.protocol.card_key import CardKey
from isek.protocol.http_client import HttpAnswer, HttpClient
from isek.protocol.p2p import read_context, sidecar_error
from isek.protocol.plain_form import read_answer
from isek.protocol.push_sender import check_url
from isek.protocol.steps import read_step
from isek.registry.broken import BrokenAgent, BrokenRecord
from isek.registry.center_client import read_changes, read_lease
from isek.registry.record import AgentRecord, NodeRecord, RecordError
from isek.tools.arguments import ArgumentCheck
from isek.tools.base import ToolError
from isek.tools.mcp import MCPTool, MCPToolkit, text_of
from isek.tools.pinned import PinnedTools
from isek.topics.message import encode
from isek.topics.wire import HandOver, HistoryRequest, Messages, Refused, read
from mcp.types import CallToolResult, ListToolsResult
from pydantic import ValidationError
from starlette.datastructures import Headers

from tests.support.tokens import AUDIENCE, ISSUER, Issuer

T = TypeVar("T")
Json = dict[str, Any]


@dataclass(frozen=True)
class Parser:
    """Something that reads bytes, or raises one of ``refusals``."""

    read: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]
    """What it reads without a refusal."""


def _finished(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        found: T = end.value
        return found
    raise AssertionError("it waits")


def _told(error: IsekError) -> None:
    """Say it to whoever sent the bytes."""
    PlainFailure.of(error).model_dump_json()
    json.dumps(error_body(error), allow_nan=False).encode()


def _by_form(form: Callable[[object], Any], then: Callable[[Any], object]) -> Callable[[bytes], object]:
    def read_form(body: bytes) -> object:
        try:
            return then(form(parse_json(body)))
        except IsekError as error:
            _told(error)
            raise

    return read_form


def _responses(form: Any) -> object:
    return form.said(), form.wish(), json.dumps(form.echoed(), allow_nan=False).encode()


def _headers(text: bytes) -> object:
    pairs = [line.partition(b":") for line in text.split(b"\n")]
    return call_context(Headers(raw=[(name.lower(), value) for name, _, value in pairs]), SharedToken(None))


def _asked(request: SendMessageRequest) -> object:
    return message_of(request.message), json.dumps(MessageToDict(request), allow_nan=False)


def _asked_in_v1(body: bytes) -> object:
    said = parse_json(body)
    return _asked(ParseDict(said, SendMessageRequest())) if isinstance(said, dict) else None


def _asked_in_v0_3(body: bytes) -> object:
    return _asked(to_core_send_message_request(old.SendMessageRequest.model_validate(parse_json(body))))


def _answered(status: int, body: bytes) -> HttpAnswer:
    return HttpAnswer(status, {"Isek-P2P-Error": "PeerUnreachable"}, body)


def _failure(body: bytes) -> object:
    answer = _answered(429, body)
    try:
        return read_answer(answer, "a.default")
    except IsekError as error:
        _told(error)
        if not 400 <= error.status < 600:
            raise AssertionError(f"{error.status} is no status of an error") from None
        raise


def _replica(body: bytes) -> object:
    for answer in (Task(), ListTasksResponse(), StreamResponse()):
        a2a_replicas.read_result(body, answer)
    return None


def _card(body: bytes) -> object:
    try:
        card = parse_json(body)
        return hash_of_card(card), holds(card, CARD_KEY)
    except (KeyError, TypeError):  # as the reader of cards has it
        return None


def _messages(body: bytes) -> object:
    return [each.message() for each in read(Messages, body).messages]


def _handed_over(body: bytes) -> object:
    return [(each.message(), each.to) for each in read(HandOver, body).messages]


def _offered(body: bytes) -> object:
    """What an MCP server has, as a run offers it to a model, which then calls it."""
    tools = ListToolsResult.model_validate_json(body).tools
    toolkit = MCPToolkit("http://tools/mcp")
    for described in PinnedTools("http://tools/mcp", None, None).unchanged(tools):
        tool = MCPTool(toolkit, described)
        json.dumps(tool.schema.parameters).encode()
        for arguments in ({}, {"items": [{"name": "tea", "count": 0.5}]}):
            with suppress(ToolError):
                ArgumentCheck(described.input_schema).check(arguments)
    return tools


def _text(read_text: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda body: read_text(body.decode(errors="replace"))


def _json(*values: object) -> tuple[bytes, ...]:
    return tuple(json.dumps(value).encode() for value in values)


CARD_KEY = CardKey().public
ISSUED_BY = Issuer("one")
TOKENS = JsonWebTokens(
    Jwt.model_validate({"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": ISSUED_BY.key_set(), "scopes": ["ask"]}),
    HttpClient(1),
)
RECORD = NodeRecord(
    node_id="n.default",
    host="10.0.0.7",
    port=8080,
    peer_id="12D3KooW",
    p2p_address="/ip4/10.0.0.7/tcp/9000/p2p/12D3KooW",
    agents=(AgentRecord(name="writer", capabilities=("writing",), card_hash="0" * 12, topics=("news",)),),
)
BROKEN_RECORD = BrokenRecord(
    node_id="n.default", namespace="default", agents=(BrokenAgent(kind="IsekAgent", name="writer", message="why"),)
)
TRACE = {
    "agent": "a.default",
    "node": "n.default",
    "path": "relay",
    "startedAt": "2026-01-01T00:00:00.000Z",
    "durationMs": 0.5,
    "children": [{"agent": "b.default", "node": "n", "startedAt": "2026-01-01T00:00:00.000Z", "durationMs": 0.5}],
}
ERROR = {"code": "RunFailed", "message": "m", "hint": "h", "repeatable": False}
TOOL = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"x": {"minimum": 0.5}}}}
PNG = "data:image/png;base64,iVBORw0KGgo="
CHAT = {
    "model": "echo",
    "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": PNG}}]},
        {
            "role": "assistant",
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "0.5"},
        {"role": "user", "content": "go on"},
    ],
    "tools": [{"type": "function", "function": TOOL}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"minimum": 0.5}}},
    "stream": False,
    "user": "ada",
}
RESPONSES = {
    "model": "echo",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": PNG}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "0.5"},
        {"type": "message", "role": "user", "content": "go on"},
    ],
    "tools": [{"type": "function", **TOOL}],
    "metadata": {"a": "b"},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"minimum": 0.5}}},
}
MESSAGE = {
    "messageId": "m",
    "contextId": "c",
    "role": "ROLE_USER",
    "parts": [
        {"text": "a"},
        {"data": {"x": [0.5, {"y": None}]}},
        {"raw": "YQ==", "mediaType": "text/plain", "filename": "a.txt"},
        {"url": "https://example.org/a.png", "mediaType": "image/png"},
    ],
    "metadata": {"x": 0.5},
}
OLD_MESSAGE = {
    "kind": "message",
    "messageId": "m",
    "role": "user",
    "parts": [
        {"kind": "text", "text": "a"},
        {"kind": "data", "data": {"x": 0.5}},
        {"kind": "file", "file": {"bytes": "YQ==", "mimeType": "text/plain", "name": "a.txt"}},
    ],
}
TASK = {
    "id": "t.n",
    "contextId": "c",
    "status": {"state": "TASK_STATE_COMPLETED", "timestamp": "2026-01-01T00:00:00Z"},
    "artifacts": [{"artifactId": "answer", "parts": [{"text": "a"}]}],
    "history": [MESSAGE],
}
PUBLISHED = {
    "id": "0" * 32,
    "topic": "news",
    "payload": {"x": [0.5, "a"]},
    "sender": "writer.default",
    "priority": "High",
    "publishedAt": "2026-01-01T00:00:00.000+00:00",
    "depth": 1,
    "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
}
BIDS = Bids(bids=(Bid(agent="writer.default", load=0.5, seconds=0.5, tokens=1),))
COMPLETION = {
    "id": "c",
    "choices": [{"message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
RESPONSE = {
    "id": "r",
    "status": "completed",
    "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}],
    "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
}
HEADERS = (
    b"Isek-Timeout-Ms: 5000\nIsek-Call-Depth: 1\nIdempotency-Key: 4f2a\nIsek-Tried-Ms: 12\nIsek-Claim: "
    + b"0" * 32
    + f"\ntraceparent: 00-{'a' * 32}-{'b' * 16}-01".encode()
).replace(b": ", b":")

MCP_TOOL = {
    "name": "order",
    "description": "d",
    "inputSchema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.org/order",
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/Item"}}},
        "$defs": {
            "Item": {
                "type": "object",
                "properties": {"name": {"type": "string", "pattern": "^[a-z]+$"}, "count": {"minimum": 0.5}},
                "required": ["name"],
            }
        },
    },
    "annotations": {"readOnlyHint": True},
}
MCP_RESULTS: tuple[Json, ...] = (
    {
        "content": [
            {"type": "text", "text": "a"},
            {"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"},
            {"type": "resource", "resource": {"uri": "file:///a", "text": "b"}},
        ]
    },
    {"content": [], "structuredContent": {"a": [0.5]}},
)

FAILED = (IsekError,)
PARSERS: dict[str, Parser] = {
    # of requests
    "plain form": Parser(_by_form(read_plain_request, str), FAILED, _json({"message": "a", "session_id": "s"})),
    "chat": Parser(_by_form(read_chat_request, lambda form: (form.conversation(), form.wish())), FAILED, _json(CHAT)),
    "responses": Parser(_by_form(read_responses_request, _responses), FAILED, _json(RESPONSES)),
    "A2A as JSON": Parser(
        _asked_in_v1,
        (IsekError, A2AError, ParseError),
        _json({"message": MESSAGE, "configuration": {"historyLength": 1}}),
    ),
    "A2A as protobuf": Parser(
        lambda body: _asked(SendMessageRequest.FromString(body)),
        (A2AError, DecodeError),
        (ParseDict({"message": MESSAGE}, SendMessageRequest()).SerializeToString(),),
    ),
    "A2A 0.3": Parser(
        _asked_in_v0_3,
        (IsekError, A2AError, ValidationError, binascii.Error),
        _json({"id": 1, "jsonrpc": "2.0", "method": "message/send", "params": {"message": OLD_MESSAGE}}),
    ),
    "publication": Parser(
        lambda body: encode(read(Publication, body).payload), FAILED, _json({"payload": {"x": 0.5}, "priority": "Low"})
    ),
    "messages handed over": Parser(_handed_over, FAILED, _json({"messages": [{**PUBLISHED, "to": ["", "a.default"]}]})),
    "question about the past": Parser(
        lambda body: read(HistoryRequest, body), FAILED, _json({"topic": "news", "limit": 1})
    ),
    "offer": Parser(lambda body: read(BidRequest, body), FAILED, _json({"capability": "writing"})),
    "headers": Parser(_headers, FAILED, (HEADERS,)),
    "token": Parser(
        lambda token: _finished(TOKENS.subject(token.decode("latin-1"))),  # as headers are read
        (NotAcceptedError, IsekError),
        (ISSUED_BY.token(scope="ask").encode(),),
    ),
    "URL to push to": Parser(
        _text(lambda url: check_url(url, ())), (ValueError,), (b"https://example.org:8443/a?b#c", b"https://8.8.8.8/")
    ),
    # of answers
    "answer": Parser(
        lambda body: read_answer(_answered(200, body), "a.default"),
        FAILED,
        _json({"status": "received", "response": "a", "metadata": {"isek.io/trace": TRACE}}),
    ),
    "failure": Parser(
        _failure,
        FAILED,
        _json({"status": "failed", "error": ERROR, "metadata": {"isek.io/trace": TRACE}, "httpStatus": 429}),
    ),
    "step": Parser(
        read_step,
        (),
        _json(
            {"step": "TextDelta", "agent": "a", "text": "b"},
            {"step": "ModelReplied", "agent": "a", "model": "m", "usage": {"input_tokens": 1, "output_tokens": 1}},
            {
                "step": "RunEnded",
                "agent": "a",
                "result": {"exit": "FINISHED", "payload": "a", "total_tokens": 1, "errors": [["Code", "m", "h"]]},
            },
        ),
    ),
    "task of a replica": Parser(_replica, (A2AError,), _json({"jsonrpc": "2.0", "id": 1, "result": TASK})),
    "refusals of messages": Parser(
        lambda body: read(Refused, body), FAILED, _json({"refused": {"m": {"a": "QueueFull"}}})
    ),
    "messages of the past": Parser(_messages, FAILED, _json({"messages": [PUBLISHED]})),
    "bids": Parser(lambda body: read(Bids, body), FAILED, (BIDS.model_dump_json().encode(),)),
    "card": Parser(
        _card,
        FAILED,
        _json(
            {
                "name": "a",
                "description": "d",
                "version": "1",
                "skills": [{"id": "s", "name": "s", "description": "d", "tags": ["t"]}],
                "supportedInterfaces": [{"url": "http://a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
                "signatures": [{"protected": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ", "signature": "YQ"}],
            }
        ),
    ),
    "error of the sidecar": Parser(
        lambda body: sidecar_error(_answered(502, body), "a.default"),
        (),
        _json({"error": {"code": "PeerUnreachable", "message": "m", "hint": "h", "delivered": "No"}}),
    ),
    "context of the sidecar": Parser(
        read_context,
        FAILED,
        _json({"peer_id": "p", "p2p_address": "/a", "p2p_addresses": ["/a", "/b"], "network_keys": ["k"]}),
    ),
    "chat completion": Parser(ChatCompletions("m").reply, FAILED, _json(COMPLETION)),
    "response of a model": Parser(Responses("m").reply, FAILED, _json(RESPONSE)),
    # of what others have written
    "record of a node": Parser(
        lambda body: NodeRecord.decode(RECORD.key("default.m"), body), (RecordError,), (RECORD.encode(),)
    ),
    "record of broken agents": Parser(
        lambda body: BrokenRecord.decode(BROKEN_RECORD.key("default.m"), body),
        (RecordError,),
        (BROKEN_RECORD.encode(),),
    ),
    "lease of a center registry": Parser(read_lease, (ValueError,), _json({"lease": 1})),
    "changes in a center registry": Parser(
        read_changes,
        (ValueError,),
        _json({"clusterId": 1, "revision": 2, "items": [["/a", "b"], ["/c", None]], "missed": True}),
    ),
    "tools of an MCP server": Parser(_offered, (ValueError, IsekError), _json({"tools": [MCP_TOOL]})),
    "result of an MCP tool": Parser(
        lambda body: text_of(CallToolResult.model_validate_json(body)).encode(),
        (ValueError, ToolError),
        _json(*MCP_RESULTS),
    ),
    "key set": Parser(_text(read_keys), (ValueError,), (ISSUED_BY.key_set().encode(),)),
}
