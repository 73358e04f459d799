"""A node with agents of all kinds, and a model that holds its answers back until it is told."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from a2a.client import Client

from tests.support.a2a import BINDINGS, a2a_client
from tests.support.node_process import NodeProcess, agent, scripted
from tests.support.openai_server import OpenAIServer, Turn

WAITS = {"text": "first half, second half", "heldHalfway": True}
SCRIPT: dict[str, list[Turn]] = {"talker": [WAITS], "recall": [{"text": "{heard}"}], "echo": [{"text": "{input}"}]}


def _openai(server: OpenAIServer, name: str) -> dict[str, Any]:
    return {"provider": "OpenAI", "name": name, "baseURL": server.url}


@pytest.fixture(scope="module")
async def models() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(SCRIPT) as server:
        yield server


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory, models: OpenAIServer) -> AsyncIterator[NodeProcess]:
    agents = [
        agent("echo", {"provider": "Echo"}, description="Says it again", capabilities=["echoing"]),
        agent("broken", scripted({"error": "out of order"})),
        agent("slow", scripted({"delayMilliseconds": 120000}, timeoutSeconds=120)),
        agent("busy", scripted({"delayMilliseconds": 120000}, timeoutSeconds=120), limits={"maxConcurrentTasks": 1}),
        agent("guarded", {"provider": "Echo"}, guardrails={"blockedPatterns": ["secret"]}),
        agent(
            "relay",
            scripted({"toolCalls": [{"name": "echo", "arguments": {"message": "psst"}}]}, {"text": "asked"}),
            tools=[{"agent": {"name": "echo"}}],
        ),
        agent("talker", _openai(models, "talker")),
        agent("looker", _openai(models, "echo")),
        agent("rememberer", _openai(models, "recall"), memory={"provider": "InMemory"}),
    ]
    folder = tmp_path_factory.mktemp("node")
    async with NodeProcess(
        folder, agents, environment={"OPENAI_API_KEY": "any"}, max_body_bytes=1024 * 1024, grpc_port=0
    ) as process:
        yield process


@pytest.fixture(params=BINDINGS, ids=lambda interface: f"{interface[0]} {interface[1]}")
def interface(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A binding and its version."""
    chosen: tuple[str, str] = request.param
    return chosen


@pytest.fixture
async def client(node: NodeProcess, interface: tuple[str, str]) -> AsyncIterator[Client]:
    """Asks ``echo``, without streaming."""
    async with a2a_client(f"{node.url}/agents/echo", *interface, streaming=False) as client:
        yield client
