"""The numbered examples as resources: one real node hosts them all."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from isek.cli.example import examples_folder
from isek.processes.ports import free_port
from isek_operator.local.plan import plan
from isek_operator.local.python_files import PythonFiles

from tests.support.isek_local import Home, RunningUp
from tests.support.node_process import NodeProcess, ask
from tests.support.openai_server import OpenAIServer, Turn
from tests.support.waiting import until

TWINS = sorted(examples_folder().glob("lv*.yaml"))
ON_ONE_NODE = [twin for twin in TWINS if "kind: IsekNode" not in twin.read_text() and "lv7" not in twin.name]
MODEL = "gpt-5-mini"


def calls(tool: str, **arguments: str) -> Turn:
    return {"toolCalls": [{"name": tool, "arguments": arguments}]}


@asynccontextmanager
async def shop() -> AsyncIterator[str]:
    """The host and port of the server of lv4_mcp.py."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, examples_folder() / "lv4_mcp.py", "serve", str(port), stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        await until(lambda: listens(port), what="the shop is open", within=60, retry_on=(OSError,))
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


async def listens(port: int) -> bool:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    return True


async def test_they_answer_like_the_programs(tmp_path: Path) -> None:
    (tmp_path / "openai").mkdir()
    (tmp_path / "openai" / "api-key").write_text("sk-test")
    conversations: dict[str, tuple[str, list[Turn]]] = {
        "greeter": ("Hello!", [{"text": "Good day to you!"}]),
        "cook": ("Something with lentils", [{"text": "Dal"}, {"text": json.dumps({"satisfied": True})}]),
        "planner": (
            "42 in French?",
            [calls("translator", message="42"), {"text": "quarante-deux"}, {"text": "C'est quarante-deux."}],
        ),
        "seller": ("What does tea cost?", [calls("price", article="tea"), {"text": "4.20 EUR"}]),
        "newsroom": ("Why?", [{"text": "facts"}, {"text": "article"}, {"text": "too short"}]),
        "friend": ("I am Ada.", [{"text": "Hello Ada"}]),
    }
    script = [turn for _, turns in conversations.values() for turn in turns]
    async with OpenAIServer({MODEL: script}, key="sk-test") as server, shop() as address:
        documents = "\n---\n".join(path.read_text() for path in ON_ONE_NODE).replace("127.0.0.1:8000", address)
        variables = {"OPENAI_BASE_URL": server.url}
        async with NodeProcess(
            tmp_path, documents, environment=variables, secrets_dir=tmp_path, memory_dir=tmp_path
        ) as node:
            answers = [
                (await ask(node.url, message, agent=agent))[1].get("response")
                for agent, (message, _) in conversations.items()
            ]

    assert answers == ["Good day to you!", "Dal", "C'est quarante-deux.", "4.20 EUR", "too short", "Hello Ada"]
    assert "4.20 EUR" in [message.get("content") for message in server.requests[7]["messages"]]


@pytest.mark.parametrize(
    ("twin", "target", "turns", "asked"),
    [
        ("lv6_nodes", "press", [{"text": "It scatters."}, {"text": "BLUE!"}], ("librarian", "library-node-0.default")),
        (
            "lv7_p2p",
            "reader",
            [calls("librarian", message="Why?"), {"text": "It scatters."}, {"text": "BLUE!"}],
            ("librarian", "librarian-agent-0.default"),
        ),
    ],
)
async def test_nodes_of_twins_ask_each_other_over_libp2p(
    tmp_path: Path, twin: str, target: str, turns: list[Turn], asked: tuple[str, str]
) -> None:
    async with OpenAIServer({MODEL: turns}, key="sk-test") as server:
        home = Home(tmp_path, (("OPENAI_BASE_URL", server.url), ("OPENAI_API_KEY", "sk-test")))
        async with RunningUp(home, "-f", examples_folder() / f"{twin}.yaml"):
            answered = await home.isek("ask", target, "Why is the sky blue?", "-o", "json")

    assert answered.code == 0, answered.err
    answer = json.loads(answered.out)
    first = answer["trace"]["children"][0]
    assert answer["response"] == "BLUE!"
    assert (first["agent"], first["node"], first["path"]) == (f"{asked[0]}.default", asked[1], "libp2p")


@pytest.mark.parametrize("twin", TWINS, ids=lambda path: path.stem)
def test_isek_up_takes_each_by_itself(twin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")

    assert plan([twin], PythonFiles()).pods
