"""The examples beside the quickstart, as processes."""

import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from isek.processes.ports import free_port
from isek.trace import Trace

from tests.support.isek_local import Home, RunningUp
from tests.support.mcp_server import serving
from tests.support.openai_server import OpenAIServer, Turn
from tests.support.postgres import PostgresServer
from tests.support.waiting import until
from tests.support.web_server import web_server

EXAMPLES = Path(__file__).parents[3] / "examples"
MODEL = "gpt-5-mini"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(tmp_path / "home", (("OPENAI_API_KEY", "sk-local"),))


@pytest.fixture
async def openai() -> AsyncIterator[OpenAIServer]:
    calculation = {"name": "calculator", "arguments": {"expression": "6 * 7"}}
    script: list[Turn] = [{"toolCalls": [calculation]}, {"text": "- it is 42"}, {"text": "# 42\n{input}"}]
    async with OpenAIServer({MODEL: script}, key="sk-local") as server:
        yield server


async def test_the_quickstart_on_a_real_model_takes_the_key_from_the_environment(
    home: Home, openai: OpenAIServer, tmp_path: Path
) -> None:
    folder = copied(EXAMPLES / "quickstart-openai", tmp_path, openai)

    async with RunningUp(home, "-f", folder) as up:
        asked = await home.isek("ask", "newsroom", "What is six times seven?")

        assert asked.code == 0, asked.err
        assert asked.out.startswith("# 42\n- it is 42\n")
        assert any("OPENAI_API_KEY of the environment is used" in line for line in up.lines)
        assert not any("sk-local" in line for line in up.lines)
    tool_answers = [message for message in openai.requests[1]["messages"] if message["role"] == "tool"]
    assert [message["content"] for message in tool_answers] == ["42"]


async def test_the_newswire_carries_what_is_said_on_one_topic_to_the_other(home: Home) -> None:
    async with RunningUp(home, "-f", EXAMPLES / "newswire"):

        async def headlines() -> list[str]:
            await home.isek("topic", "publish", "news", "it rains")
            past = await home.isek("topic", "history", "headlines", "-o", "json")
            return [each["payload"] for each in json.loads(past.out)["messages"]]

        assert "BREAKING: it rains" in await until(headlines, what="the editor made a headline", within=30)
        asked = await home.isek("ask", "reporter", "the sun is back")
        assert asked.out.splitlines()[0] == "It is out.", asked
        assert await until(
            lambda: _contains(headlines, "BREAKING: the sun is back"), what="so it did of what the reporter said"
        )


async def _contains(headlines: Callable[[], Awaitable[list[str]]], wanted: str) -> bool:
    return wanted in await headlines()


KEYLESS = """
apiVersion: isek.io/v1alpha1
kind: IsekAgent
metadata: {{name: {name}}}
spec: {{model: {{provider: OpenAI, name: gpt-5-mini, baseURL: "{url}"{key}}}}}
"""


async def test_the_key_may_be_in_dotenv_of_the_folder_that_isek_up_runs_in(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-dotenv\n")
    secret = ", apiKey: {secretKeyRef: {name: openai, key: api-key}}"
    home = Home(tmp_path)
    async with OpenAIServer({MODEL: [{"text": "{input}"}]}, key="sk-dotenv") as server:
        agents = [KEYLESS.format(name=name, url=server.url, key=key) for name, key in {"a": secret, "b": ""}.items()]
        (tmp_path / "agents.yaml").write_text("---".join(agents))
        async with RunningUp(home, "-f", "agents.yaml") as up:
            asked = [await home.isek("ask", name, "tea") for name in "ab"]

    assert [each.out.splitlines()[0] for each in asked] == ["tea", "tea"], asked
    assert not any("sk-dotenv" in line for line in up.lines)


async def test_without_a_key_the_missing_secret_is_named(tmp_path: Path) -> None:
    finished = await Home(tmp_path).isek("up", "-f", EXAMPLES / "quickstart-openai")

    assert finished.code == 1
    assert "IsekAgent researcher: Secret 'openai' does not exist in namespace 'default'" in finished.err
    assert "or export OPENAI_API_KEY" in finished.err


async def test_a_shared_node_hosts_two_agents_that_a_third_uses_as_tools(home: Home) -> None:
    async with RunningUp(home, "-f", EXAMPLES / "shared-node"):
        asked = await home.isek("ask", "editor", "How far is the sun?", "-o", "json")

    assert asked.code == 0, asked.err
    answer = json.loads(asked.out)
    assert "8.32 minutes" in answer["response"]
    trace = Trace.model_validate(answer["trace"])
    assert {(child.agent, child.node, child.path) for child in trace.children} == {
        ("statistician.default", "desk-node-0.default", "libp2p"),
        ("archivist.default", "desk-node-0.default", "libp2p"),
    }
    assert all(child.error is None for child in trace.children)


async def test_the_weather_desk_works_in_every_mode_that_has_a_leader(home: Home) -> None:
    rain, wind = "rain answered:\nRain comes in the afternoon.", "wind answered:\nA breeze from the west."
    wanted = {
        "coordinate": f"Take an umbrella. Today?\n\n{rain}\n\n{wind}",
        "route": "A breeze from the west.",
        "collaborate": f"All agree. Today?\n\n{rain}\n\n{wind}",
        "adaptive": f"Step by step. Today?\n\n{rain}\n\n{wind}",
    }

    async with RunningUp(home, "-f", EXAMPLES / "weather-desk"):
        asked = {name: await home.isek("ask", name, "Today?", "-o", "json") for name in wanted}

    assert {name: json.loads(each.out)["response"] for name, each in asked.items()} == wanted


@pytest.mark.parametrize("example", [EXAMPLES / "lv3_memory.yaml", EXAMPLES / "memory" / "sqlite.yaml"], ids=str)
async def test_a_conversation_in_sqlite_outlives_its_mesh(home: Home, example: Path, tmp_path: Path) -> None:
    async with OpenAIServer({MODEL: [{"text": "{heard}"}]}, key="sk-local") as server:
        file = copied(example, tmp_path, server)
        async with RunningUp(home, "-f", file):
            await home.isek("ask", "friend", "I am Ada.", "--session", "monday", "--user", "ada")
        async with RunningUp(home, "-f", file):
            asked = await home.isek("ask", "friend", "Who am I?", "--session", "monday", "--user", "ada")

    assert asked.out.splitlines()[0] == "I am Ada. | Who am I?"


async def test_the_replicas_of_an_agent_share_what_they_know_of_a_user_in_postgresql(
    home: Home, tmp_path: Path
) -> None:
    fact = {"name": "remember", "arguments": {"fact": "takes coffee black"}}
    script: list[Turn] = [{"toolCalls": [fact]}, {"text": "Noted."}, {"text": "Coffee, black."}]
    async with PostgresServer() as postgres, OpenAIServer({MODEL: script}, key="sk-local") as server:
        folder = copied(EXAMPLES / "memory" / "postgresql.yaml", tmp_path, server).parent
        (folder / "secret.yaml").write_text(json.dumps(secret("concierge-db", uri=await postgres.create("hotel"))))
        async with RunningUp(home, "-f", folder):
            for message, session in (("I take my coffee black.", "monday"), ("A drink, please.", "tuesday")):
                asked = await home.isek("ask", "concierge", message, "--user", "ada", "--session", session)
                assert asked.code == 0, asked.err

    assert asked.out.splitlines()[0] == "Coffee, black."
    told = [message["content"] for message in server.requests[-1]["messages"] if message["role"] != "user"]
    assert any("takes coffee black" in text for text in told), told


def copied(example: Path, to: Path, model: OpenAIServer) -> Path:
    """A file or folder, its models asked at that server."""
    folder = to / "examples"
    folder.mkdir()
    for file in example.glob("*.yaml") if example.is_dir() else [example]:
        elsewhere = file.read_text().replace(f"name: {MODEL}\n", f"name: {MODEL}\n    baseURL: {model.url}\n")
        (folder / file.name).write_text(elsewhere)
    return folder if example.is_dir() else folder / example.name


def secret(name: str, **values: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


WEATHER = """
def rain(city: str) -> str:
    \"\"\"How much it will rain.\"\"\"
    return f"2 mm in {city}"
"""
SECRET = """
apiVersion: v1
kind: Secret
metadata: {{name: tools}}
stringData: {{search: key, database: "sqlite:///{file}"}}
"""
CALLS: dict[str, tuple[str, dict[str, Any], str]] = {
    "accountant": ("calculator", {"expression": "6 * 7"}, "42"),
    "clerk": ("stock", {"item": "tea"}, '{"path": "/items/tea"}'),
    "shopper": ("order", {"items": [{"name": "tea", "count": 2}]}, "2 things, slow"),
    "reader": ("http_get", {"url": "https://elsewhere.net/"}, "error: "),
    "librarian": ("read_file", {"path": "today.txt"}, "rain"),
    "analyst": ("sql", {"query": "SELECT name FROM tea"}, '{"columns": ["name"], "rows": [["Assam"]]}'),
    "researcher": ("web_search", {"query": "tea"}, "Tea\nhttps://tea.example\nhot"),
    "forecaster": ("rain", {"city": "Ulm"}, "2 mm in Ulm"),
    "editor": ("accountant", {"message": "6 * 7?"}, "it is 42"),
}
"""What each agent's model calls, and how the tool's answer begins."""


async def shop(request: web.Request) -> web.StreamResponse:
    if request.path == "/search":
        return web.json_response({"results": [{"title": "Tea", "url": "https://tea.example", "snippet": "hot"}]})
    return web.json_response({"path": request.path})


@pytest.mark.timeout(300)  # it starts a program for each question
async def test_an_agent_for_each_kind_of_tool_calls_it(tmp_path: Path) -> None:
    folder = tmp_path / "tools"
    folder.mkdir()
    (tmp_path / "weather.py").write_text(WEATHER)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "today.txt").write_text("rain")
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.executescript("CREATE TABLE tea (name TEXT); INSERT INTO tea VALUES ('Assam');")
    (folder / "secret.yaml").write_text(SECRET.format(file=tmp_path / "shop.db"))
    script: list[Turn] = []
    for name, (tool, arguments, answer) in CALLS.items():
        script.append({"toolCalls": [{"name": tool, "arguments": arguments}]})
        if name == "editor":  # whose tool is an agent, which has its own turns
            script += [{"toolCalls": [{"name": "calculator", "arguments": {"expression": "6 * 7"}}]}, {"text": answer}]
        script.append({"text": "done"})
    port = free_port()
    async with OpenAIServer({MODEL: script}, key="sk-local") as model, web_server(shop) as inside, serving(port):
        elsewhere = {
            "http://stock": inside,
            "http://searxng": inside,
            "http://shop": f"http://127.0.0.1:{port}",
            "root: /tmp": f"root: {tmp_path / 'notes'}",
        }
        for file in (EXAMPLES / "tools").glob("*.yaml"):
            text = file.read_text()
            for there, here in elsewhere.items():
                text = text.replace(there, here)
            (folder / file.name).write_text(text)
        variables = {"OPENAI_API_KEY": "sk-local", "OPENAI_BASE_URL": model.url, "PYTHONPATH": str(tmp_path)}
        home = Home(tmp_path, tuple(variables.items()))
        async with RunningUp(home, "-f", folder):
            told = {}
            for name in CALLS:
                asked = await home.isek("ask", name, "go", "-o", "json")
                assert json.loads(asked.out)["response"] == "done", (name, asked)
                told[name] = model.requests[-1]["messages"][-1]["content"]

    for name, (_, _, answer) in CALLS.items():
        assert told[name].startswith(answer), (name, told[name])
