"""The guide to Python as its reader follows it: its programs one after another, then its commands.

A program in ``py`` needs the mesh of ``isek up``: ``tests/integration/local/test_quickstart.py`` runs it.
"""

import asyncio
import json
import os
import re
import shlex
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from isek import Adapter, CallContext, CenterRegistry, Node
from isek.registry.center import serve

from tests.support.isek_local import PROGRAM, Home, RunningUp
from tests.support.openai_server import OpenAIServer, Turn

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "guides" / "python.md").read_text()
MODEL = "gpt-5-mini"
RECIPE = {"title": "Dal", "minutes": 25, "ingredients": ["lentils", "cumin"]}
NIGHTS = {"name": "days_between", "arguments": {"first": "2027-03-01", "last": "2027-03-15"}}
ANSWERS: list[Turn] = [
    {"text": "Good day to you!"},
    {"text": "And to you!"},
    {"text": json.dumps(RECIPE)},
    {"text": json.dumps({"satisfied": True})},
    {"toolCalls": [NIGHTS]},
    {"text": "Fourteen nights."},
    {"text": "How nice."},
    {"text": "The cello."},
    {"text": json.dumps({"member": "writer"})},
    {"text": "It is the short waves."},
    {"text": "BLUE! It scatters."},
]


class Researcher(Adapter):
    """Lives on another node than the guide's."""

    def __init__(self) -> None:
        super().__init__("researcher", "Finds facts")

    def answer(self, message: str, context: CallContext) -> str:
        return "It scatters."


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


@asynccontextmanager
async def researcher_elsewhere() -> AsyncIterator[str]:
    """The URL of a registry through which a researcher can be found."""
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve("127.0.0.1", 0, started=listening.set_result))
    url = f"http://127.0.0.1:{await listening}"
    node = Node(port=0, registry=CenterRegistry(url), agents=[Researcher()])
    await asyncio.to_thread(node.build_server, daemon=True)
    yield url
    await asyncio.to_thread(node.stop_server)
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def test_its_programs_run_one_after_another(tmp_path: Path) -> None:
    async with OpenAIServer({MODEL: ANSWERS}, key="sk-test") as server, researcher_elsewhere() as registry:
        program = "\n".join(blocks("python")).replace("http://127.0.0.1:2378", registry).replace("8081", "0")
        (tmp_path / "guide.py").write_text(program)
        variables = {**os.environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "guide.py", stdout=PIPE, stderr=PIPE, env=variables, cwd=tmp_path
        )
        out, err = await process.communicate()

    assert (process.returncode, err.decode()) == (0, "")
    said = [line for line in out.decode().splitlines() if line and not line.lstrip().startswith("…")]
    assert said == [
        "Good day to you!",
        "And to you!",
        "Dal: lentils, cumin",
        "Fourteen nights.",
        "The cello.",
        "It is the short waves.",
        "BLUE! It scatters.",
    ]
    assert (tmp_path / "friend.db").is_file()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return Home(tmp_path)


async def test_its_commands_work(home: Home) -> None:
    lines = [line for block in blocks("") for line in block.splitlines() if line.startswith("isek ")]
    commands = {line.split()[1]: shlex.split(line, comments=True)[1:] for line in lines}
    assert list(commands) == ["doctor", "example", "explain", "up", "chat", "tree"]
    answers: list[Turn] = [{"text": "Good day!"}, {"text": "facts"}, {"text": "article"}, {"text": "too short"}]
    async with OpenAIServer({MODEL: answers}, key="sk-test") as server:
        variables = (("OPENAI_BASE_URL", server.url), ("OPENAI_API_KEY", "sk-test"))
        user = Home(home.folder, variables)
        ran = {name: await user.isek(*commands[name]) for name in ("doctor", "example", "explain")}
        async with RunningUp(user, *(home.folder / each if "/" in each else each for each in commands["up"][1:])):
            chat = await asyncio.create_subprocess_exec(
                PROGRAM, *commands["chat"], stdin=PIPE, stdout=PIPE, stderr=PIPE, env=user.environment
            )
            talked, _ = await chat.communicate(b"Why is the sky blue?\n\n")
            ran["tree"] = await user.isek(*commands["tree"])

    assert {name: each.code for name, each in ran.items()} == dict.fromkeys(ran, 0), ran
    assert ran["example"].out == "Good day!\n"
    assert "IsekTeam newsroom" in ran["explain"].out
    assert "too short" in talked.decode()
    assert "newsroom.default" in ran["tree"].out
