"""Commands that talk to a real node, which a run directory of a local mesh leads to."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from isek.cli.kubectl import main as kubectl_isek
from isek.cli.main import main
from isek.cli.run_directory import LocalNode, RunDirectory

from tests.support.node_process import NodeProcess, agent, scripted, team
from tests.support.openai_server import OpenAIServer
from tests.support.waiting import until

NODE_ID = "desk.default"


@pytest.fixture
async def _mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    resources = [
        agent("echo", {"provider": "Echo"}),
        agent("broken", scripted({"error": "out of order"})),
        team("desk", "echo", "echo"),
    ]
    async with mesh_of(resources, tmp_path, monkeypatch):
        yield


@asynccontextmanager
async def mesh_of(
    resources: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> AsyncIterator[Callable[..., None]]:
    """A local mesh of one node; called with others, they are in it from then on."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("KUBECONFIG", os.devnull)
    directory = RunDirectory()
    lock = directory.lock()
    assert lock is not None
    async with NodeProcess(tmp_path, resources, node_id=NODE_ID, **settings) as node:
        hosted = directory.hosted_file(NODE_ID)
        hosted.parent.mkdir(parents=True)
        hosted.write_text(node.settings.hosted_file.read_text())
        addresses = tuple(sorted(f"{each['metadata']['name']}.default" for each in resources))
        first = LocalNode(NODE_ID, node.url, addresses, "m/m")

        def write(*others: LocalNode) -> None:
            directory.write("http://127.0.0.1:1", "default.default", [first, *others])

        write()
        yield write
    os.close(lock)


TRANSLATORS = [
    agent("busy", {"provider": "Echo"}, capabilities=["translation"], access={"outside": {"rateLimit": {
        "requestsPerMinute": 1, "burst": 1}}}),
    agent("free", {"provider": "Echo"}, capabilities=["translation", "poetry"]),
    agent("deaf", {"provider": "Echo"}),
]  # fmt: skip


async def test_a_capability_is_asked_for_of_whoever_has_it_and_has_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with mesh_of(TRANSLATORS, tmp_path, monkeypatch):
        in_the_mesh = ("-n", "m", "--mesh", "m", "-o", "json")
        await isek("ask", "busy.default", "tea")

        for _ in range(3):
            asked = await isek("ask", "capability:translation", "tea", *in_the_mesh)
            assert json.loads(asked.stdout)["trace"]["agent"] == "free.default"
        unknown = await isek("ask", "capability:translating", "tea", *in_the_mesh)

    assert unknown.exit_code == 1
    assert "has the capability 'translating'; did you mean translation?" in unknown.stderr


GUARDED = agent(
    "writer", {"provider": "Echo"}, access={"outside": {"from": "Authenticated", "tokensSecret": {"name": "callers"}}}
)
TOKEN = "me-0123456789abcdef"


@pytest.mark.parametrize(
    "command", [("ask", "writer", "tea"), ("nodes", "-n", "m", "--mesh", "m"), ("chat", "writer")], ids=str
)
async def test_who_has_a_token_shows_it_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    (tmp_path / "callers").mkdir()
    (tmp_path / "callers" / "me").write_text(TOKEN)
    async with mesh_of([GUARDED], tmp_path, monkeypatch, access_dir=tmp_path):
        refused = await isek(*command, said="tea\n\n")
        by_file = await isek(*command, "--token-file", str(tmp_path / "callers" / "me"), said="tea\n\n")
        monkeypatch.setenv("ISEK_TOKEN", TOKEN)
        by_environment = await isek(*command, said="tea\n\n")

    assert "Unauthorized: a bearer token is needed" in refused.output
    assert "by ISEK_TOKEN or --token-file" in refused.output
    assert "header" not in refused.output
    for allowed in (by_file, by_environment):
        assert "Unauthorized" not in allowed.output
        assert allowed.exit_code == 0


async def test_commands_for_any_node_go_to_one_that_lets_them_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "callers").mkdir()
    (tmp_path / "callers" / "me").write_text(TOKEN)
    closed = agent("vault", {"provider": "Echo"}, access={"outside": {"from": "Nobody"}})
    opened = agent("desk", {"provider": "Echo"}, topics=["news"])
    where = ("-n", "m", "--mesh", "m")
    async with (
        mesh_of([GUARDED], tmp_path, monkeypatch, access_dir=tmp_path) as guarded,
        NodeProcess(tmp_path, [closed], node_id="vault.default") as shut,
    ):
        add = (LocalNode("vault.default", shut.url, ("vault.default",), "m/m"),)
        guarded(*add)
        refused = await isek("nodes", *where)
        unheard = await isek("topic", "listen", "news", *where)
        async with NodeProcess(tmp_path, [opened], node_id="open.default") as node:
            guarded(*add, LocalNode("open.default", node.url, ("desk.default",), "m/m"))
            for _ in range(6):
                listed = await isek("nodes", *where)
                assert listed.exit_code == 0, listed.output
                misspelt = await isek("topic", "publish", "nwes", "rain", *where)
                assert misspelt.output == "published; nobody listens to 'nwes'; did you mean news?\n"
            monkeypatch.setenv("ISEK_TOKEN", TOKEN)
            for _ in range(3):
                await isek("topic", "publish", "wares", "rain", *where)
            past = await isek("topic", "history", "wares", *where)

    for each in (refused, unheard):
        assert f"Error: node {NODE_ID}: Unauthorized: a bearer token is needed" in each.output
    assert [line.partition(" ")[2] for line in past.output.splitlines()] == ["outside:token:me: rain"] * 3


async def isek(*arguments: str, said: str = "") -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, arguments, input=said)


@pytest.mark.usefixtures("_mesh")
async def test_what_a_local_node_can_be_asked() -> None:
    talk = await isek("chat", "echo", said="good morning\nand good night\n\n")
    team_talk = await isek("chat", "desk", said="hello\n\n")
    failed = await isek("chat", "broken", said="hello\n\n")
    drawn = await isek("tree")
    listed = await isek("tree", "-o", "json")

    assert "good morning" in talk.output.splitlines()
    assert talk.output.rstrip().splitlines()[-2].endswith("and good night")
    assert "  … agent echo" in team_talk.output
    assert "ModelError: out of order" in failed.output
    assert "Traceback" not in failed.output
    assert [line.split()[:2] for line in drawn.output.splitlines()[1:]] == [
        ["broken.default", "IsekAgent"],
        ["desk.default", "IsekTeam"],
        ["├─", "echo.default"],
        ["└─", "echo.default"],
    ]
    assert json.loads(listed.output)[1]["nodes"] == [NODE_ID]


async def test_a_conversation_and_its_user_are_named_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with OpenAIServer() as server:
        friend = agent("friend", {"provider": "OpenAI", "name": "recall", "baseURL": server.url}, memory={})
        async with mesh_of([friend], tmp_path, monkeypatch):
            await isek("ask", "friend", "tea", "--session", "monday", "--user", "ann")
            asked = await isek("ask", "friend", "milk", "--session", "monday", "--user", "ann")
            chatted = await isek("chat", "friend", "--session", "monday", "--user", "ann", said="sugar\n\n")
            of_another = await isek("ask", "friend", "milk", "--session", "monday", "--user", "ben")

    assert asked.output.splitlines()[0] == "tea | milk"
    assert "tea | milk | sugar" in chatted.output
    assert of_another.output.splitlines()[0] == "milk"


@pytest.mark.usefixtures("_mesh")
async def test_topics_on_the_command_line() -> None:
    where = ("-n", "m", "--mesh", "m")
    command = [sys.executable, "-m", "isek.cli.main", "topic", "listen", "news", "-o", "json", *where]
    listening = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    try:

        async def heard() -> bool:
            return (
                "heard by 1 of 1"
                in (await isek("topic", "publish", "news", "rain", "--priority", "high", *where)).output
            )

        await until(heard, what="somebody listens", within=20)
        assert listening.stdout is not None
        assert b"{" in await asyncio.wait_for(listening.stdout.readline(), 10)
    finally:
        if listening.returncode is None:
            listening.terminate()
        await listening.wait()
    await isek("topic", "publish", "news", '{"city": "Rome"}', "--json", *where)
    past = await isek("topic", "history", "news", *where)
    unheard = await isek("topic", "publish", "weather", "-", *where, said="sun")
    broken = await isek("topic", "publish", "news", "{", "--json", *where)
    odd = await isek("topic", "publish", "a b", "rain", *where)

    assert past.output.splitlines()[-1].endswith('outside:anybody: {"city": "Rome"}')
    assert past.output.splitlines()[0].endswith(": rain")
    assert "nobody listens" in unheard.output
    assert "the message is no JSON" in broken.output
    assert "topic 'a b' cannot be used" in odd.output


@pytest.mark.usefixtures("_mesh")
async def test_beside_kubectl_a_local_mesh_is_left_out() -> None:
    shown = await asyncio.to_thread(CliRunner().invoke, kubectl_isek, ["tree"])

    assert shown.exit_code == 1
    assert "the kubeconfig leads to no cluster" in shown.output
