"""The quickstart without a cluster: one mesh of processes serves all these tests."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import isek
import pytest
from isek.trace import Trace

from tests.support.isek_local import Home, RunningUp, children
from tests.support.waiting import until

EXAMPLES = Path(__file__).parents[3] / "examples"
QUESTION = "Why is the sky blue?"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
async def quickstart(home: Home) -> AsyncIterator[RunningUp]:
    async with RunningUp(home, "-f", EXAMPLES / "quickstart") as up:
        yield up


async def test_the_team_answers_and_its_members_were_asked_over_libp2p(home: Home, quickstart: RunningUp) -> None:
    asked = await home.isek("ask", "newsroom", QUESTION, "-o", "json")

    assert asked.code == 0, asked.err
    answer = json.loads(asked.out)
    assert QUESTION in answer["response"]
    trace = Trace.model_validate(answer["trace"])
    assert [child.agent for child in trace.children] == ["researcher.default", "writer.default"]
    assert [child.path for child in trace.children] == ["libp2p", "libp2p"]
    assert len({trace.peer_id, *(child.peer_id for child in trace.children)} - {None}) == 3


async def test_the_answer_comes_with_who_was_asked_where_and_for_how_long(home: Home, quickstart: RunningUp) -> None:
    asked = await home.isek("ask", "newsroom.default", QUESTION)

    answer, _, tree = asked.out.partition("ASKED")
    assert QUESTION in answer
    team, researcher, writer = tree.splitlines()[1:]
    assert team.startswith("newsroom.default ")
    assert "newsroom-team-0.default" in team
    assert "http" in team
    assert researcher.startswith("├─ researcher.default ")
    assert writer.startswith("└─ writer.default ")
    assert "libp2p" in researcher
    assert researcher.endswith(("ms", " s"))


async def test_the_registered_nodes_are_listed_with_their_agents(home: Home, quickstart: RunningUp) -> None:
    listed = await home.isek("nodes", "--output", "yaml")
    table = await home.isek("nodes")

    assert "meshId: default.default" in listed.out
    assert [line.split()[:2] for line in table.out.splitlines()[1:]] == [
        ["newsroom-team-0.default", "newsroom"],
        ["researcher-agent-0.default", "researcher"],
        ["writer-agent-0.default", "writer"],
    ]


async def test_the_nodes_of_all_namespaces_are_listed_with_their_mesh(home: Home, quickstart: RunningUp) -> None:
    listed = await home.isek("nodes", "-A", "--output", "json")
    table = await home.isek("nodes", "-A", "-n", "elsewhere")

    [mesh] = json.loads(listed.out)["meshes"]
    assert (mesh["mesh"], len(mesh["nodes"])) == ("default/default", 3)
    assert [line.split()[:2] for line in table.out.splitlines()] == [
        ["MESH", "NODE"],
        ["default/default", "newsroom-team-0.default"],
        ["default/default", "researcher-agent-0.default"],
        ["default/default", "writer-agent-0.default"],
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ask", "newsrom", "?"), "'newsrom' in namespace 'default' of the local mesh; did you mean newsroom?"),
        (("ask", "x.elsewhere", "?"), "there are newsroom.default, researcher.default, writer.default"),
        (("nodes", "--mesh", "other"), "no node is in mesh default/other; there are nodes in default/default"),
        (("up", "-f", str(EXAMPLES / "quickstart")), "local mesh 'local' runs already"),
    ],
)
async def test_what_cannot_be_done_is_said_in_one_line(
    home: Home, quickstart: RunningUp, arguments: tuple[str, ...], said: str
) -> None:
    finished = await home.isek(*arguments)

    assert finished.code == 1
    assert finished.out == ""
    assert finished.err.startswith("Error: ")
    assert said in finished.err
    assert finished.err.count("\n") == 1


async def test_secrets_and_keys_are_for_the_user_alone(home: Home, quickstart: RunningUp) -> None:
    (key,) = (home.folder / "state" / "isek" / "local" / "meshes").rglob("private-network.key")

    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o077 == 0


async def test_a_program_joins_by_the_line_that_is_printed(
    home: Home, quickstart: RunningUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", home.environment["XDG_STATE_HOME"])
    said = await quickstart.until_said(r"in Python: isek\.Node")
    node: isek.Node = eval(said.partition("in Python: ")[2], {"isek": isek})  # noqa: S307  (as people paste it)
    await asyncio.to_thread(node.build_server, daemon=True)
    try:
        assert node.p2p
        assert QUESTION in await node.asend_message("researcher", QUESTION, within=60)
    finally:
        await asyncio.to_thread(node.stop_server)


async def test_a_process_that_is_killed_is_started_again_and_named(home: Home, quickstart: RunningUp) -> None:
    state = json.loads((home.folder / "state" / "isek" / "local" / "state.json").read_text())
    before = len(quickstart.lines)
    victims = [pid for pid, command in (await children(state["pid"])).items() if "isek.node.main" in command]

    for victim in victims:
        os.kill(victim, signal.SIGKILL)

    await quickstart.until_said(r"writer-agent-0 ended by signal 9; it is started again", after=before)

    async def answers() -> bool:
        return (await home.isek("ask", "newsroom", QUESTION)).code == 0

    await until(answers, what="the killed nodes answer again", within=100)
