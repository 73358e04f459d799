"""Whatever is sent to a node, it knows what to answer: its OpenAPI description, and requests drawn from it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from isek.node.access import Gate
from isek.node.app import create_app
from isek.node.caller import SharedToken
from isek.node.cards import Cards
from isek.node.chat_form import ChatRequest
from isek.node.host import Host
from isek.node.membership import Membership
from isek.node.metrics import Metrics
from isek.node.plain import PlainRequest
from isek.node.responses_form import ResponsesRequest
from isek.node.topics import NodeTopics
from isek.protocol.a2a import A2A
from isek.protocol.card_key import CardKey
from isek.protocol.card_reader import CardReader
from isek.protocol.mesh import Mesh
from isek.protocol.topics import TopicCarrier
from isek.registry import open_registry
from pydantic import BaseModel
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok

from tests.support.node_process import NodeProcess, agent

ASK: dict[str, type[BaseModel]] = {
    "/": PlainRequest,
    "/agents/{name}": PlainRequest,
    "/v1/chat/completions": ChatRequest,
    "/v1/responses": ResponsesRequest,
}
"""Not in the description that FastAPI makes: they are answered before it, as the hot path."""


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeProcess]:
    only = [agent("echo", {"provider": "Echo"})]
    async with NodeProcess(tmp_path_factory.mktemp("node"), only, max_body_bytes=65536) as process:
        yield process


async def described(node: NodeProcess) -> dict[str, Any]:
    """The OpenAPI description of a node, its asking paths included."""
    metrics, registry = Metrics(), open_registry(node.settings)
    host = Host(node.settings.node_id, metrics)
    key = CardKey()
    membership = Membership(node.settings, registry, host, None, metrics, card_key=key.public)
    cards = Cards(host, membership, CardReader(registry, None), node.settings, key)
    gate = Gate(node.settings, SharedToken(None), membership.of_peer)
    mesh = Mesh(registry, node.settings, hosts=host.hosts, local=host.answer_local)
    topics = NodeTopics(node.settings, registry, TopicCarrier(mesh.post), membership)
    a2a = A2A(registry, node.settings, None)
    app = create_app(node.settings, host, membership, metrics, gate=gate, cards=cards, a2a=a2a, topics=topics)
    await registry.close()
    description = app.openapi()
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    for path, form in ASK.items():
        schema = form.model_json_schema(ref_template=f"#/components/schemas/{form.__name__}/$defs/{{model}}")
        if "model" in schema["properties"]:
            schema["properties"]["model"] = {"enum": ["echo", "nobody"]}  # else hardly a request would reach an agent
        description.setdefault("components", {}).setdefault("schemas", {})[form.__name__] = schema
        body = {"content": {"application/json": {"schema": schema}}, "required": True}
        asked = {"requestBody": body, "responses": {"200": {"description": "The answer"}}}
        description["paths"][path] = {"post": {**asked, "parameters": [name] if "{name}" in path else []}}
    return description


async def test_no_request_makes_a_node_answer_with_a_server_error(node: NodeProcess) -> None:
    schema = schemathesis.openapi.from_dict(await described(node))
    schema.config.update(base_url=node.url)
    found = list(schema.get_all_operations())
    operations = [each.ok() for each in found if isinstance(each, Ok)]
    assert len(operations) == len(found), "a path of the description cannot be read"
    assert {*ASK, "/healthz", "/isek/nodes"} <= {each.path for each in operations}

    for operation in operations:
        # of what has no body, nothing can be sent that does not fit
        for mode in GenerationMode if operation.body else [GenerationMode.POSITIVE]:
            await asyncio.to_thread(prove, operation, mode)
    assert "Traceback" not in node.text


def prove(operation: "APIOperation[Any, Any, Any, Any]", mode: GenerationMode) -> None:
    """Send what fits the description of an operation, or what does not."""

    @settings(max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def answered(case: Case[Any]) -> None:
        response = case.call(timeout=60)
        case.validate_response(response, checks=[not_a_server_error])

    answered()
