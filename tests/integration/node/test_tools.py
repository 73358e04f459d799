"""What an agent's YAML names as tools, called by a real node."""

import asyncio
import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from aiohttp import web
from isek.processes.ports import free_port

from tests.support.mcp_server import serving
from tests.support.node_process import NodeProcess, agent, ask
from tests.support.openai_server import OpenAIServer
from tests.support.web_server import web_server

KEY = {"secretKeyRef": {"name": "keys", "key": "key"}}
HEADERS = [{"name": "X-Key", "valueFrom": KEY}]
GREETER = """
def greet(name: str) -> str:
    return f"Hello, {name}"
"""


def call(name: str, /, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


def told(model: OpenAIServer) -> list[str]:
    return [message["content"] for message in model.requests[-1]["messages"] if message["role"] == "tool"]


async def internal(request: web.Request) -> web.StreamResponse:
    if request.path == "/search":
        return web.json_response({"results": [{"title": "Tea", "url": "https://tea.example", "snippet": "hot"}]})
    return web.json_response({"path": request.path, "key": request.headers.get("X-Key")})


async def test_a_node_calls_each_kind_of_tool(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    (secrets / "keys").mkdir(parents=True)
    (secrets / "keys" / "key").write_text("s3cret\n")
    (secrets / "keys" / "database").write_text(f"sqlite:///{tmp_path / 'shop.db'}")
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.execute("CREATE TABLE tea (name TEXT)")
        database.execute("INSERT INTO tea VALUES ('Assam')")
        database.commit()
    (tmp_path / "greeter.py").write_text(GREETER)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "today.txt").write_text("rain")
    wanted = [
        call("weather", city="Ulm"),
        call("order", items=[{"name": "tea", "count": 2}]),
        call("greet", name="Ada"),
        call("read_file", path="today.txt"),
        call("sql", query="SELECT name FROM tea"),
        call("web_search", query="tea"),
        call("http_get", url="http://127.0.0.1:1/"),
    ]
    script: dict[str, Any] = {"m": [{"toolCalls": wanted}, {"text": "done"}]}
    port = free_port()
    async with OpenAIServer(script) as model, web_server(internal) as inside, serving(port):
        tools: list[dict[str, Any]] = [
            {"http": {"name": "weather", "url": inside + "/weather/{city}", "headers": HEADERS}},
            {"mcp": {"url": f"http://127.0.0.1:{port}/mcp", "allow": ["order"], "headers": HEADERS}},
            {"python": {"function": "greeter:greet"}},
            {"files": {"root": str(tmp_path / "notes")}},
            {"sql": {"url": {"secretKeyRef": {"name": "keys", "key": "database"}}}},
            {"webSearch": {"url": f"{inside}/search", "apiKey": KEY}},
            {"httpGet": {"allow": ["127.0.0.1"]}},
        ]
        clerk = agent("clerk", {"provider": "OpenAI", "name": "m", "baseURL": model.url}, tools=tools)
        environment = {"OPENAI_API_KEY": "sk-test", "PYTHONPATH": os.pathsep.join((str(tmp_path), *sys.path))}
        async with NodeProcess(tmp_path, [clerk], environment=environment, secrets_dir=secrets) as node:
            status, body = await ask(node.url, "go", agent="clerk")

            assert (status, body["response"]) == (200, "done"), body
            assert not any("s3cret" in line for line in node.log)
        weather, *others, refused = told(model)

    assert json.loads(weather) == {"path": "/weather/Ulm", "key": "s3cret"}
    assert others == [
        "2 things, slow",
        "Hello, Ada",
        "rain",
        '{"columns": ["name"], "rows": [["Assam"]]}',
        "Tea\nhttps://tea.example\nhot",
    ]
    assert refused == "error: '127.0.0.1' is not an address of the public internet"


async def test_a_tool_that_cannot_be_had_fails_the_agent_that_needs_it_and_no_other(tmp_path: Path) -> None:
    broken = agent("broken", {"provider": "Echo"}, tools=[{"python": {"function": "nowhere:tool"}}])

    async with NodeProcess(tmp_path, [broken, agent("echo", {"provider": "Echo"})]) as node:
        failed, echoed = await asyncio.gather(*(ask(node.url, "hi", agent=name) for name in ("broken", "echo")))

    assert echoed[1]["response"] == "hi"
    assert failed[0] == 500
    assert failed[1]["error"]["code"] == "ToolsUnavailable"
    assert "'nowhere:tool' cannot be had: ModuleNotFoundError" in failed[1]["error"]["message"]
