"""Each example as its user runs it, against a server that speaks the OpenAI API."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from isek import CenterRegistry, EtcdRegistry
from isek.cli.example import scripts
from isek.processes.ports import free_port
from isek.registry import Registry

from tests.support.center_registry import center_registry
from tests.support.control_plane_etcd import EtcdServer
from tests.support.isek_local import Home
from tests.support.openai_server import OpenAIServer, Turn

MODEL = "gpt-5-mini"
RECIPE = {"title": "Dal", "minutes": 25, "ingredients": ["lentils", "cumin"]}


@dataclass(frozen=True)
class Run:
    """What an example did: its lines, and what its model was asked."""

    lines: list[str]
    requests: list[dict[str, Any]]


async def start(name: str, *arguments: str, server: OpenAIServer, **more: str) -> Process:
    variables = {**os.environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test", **more}
    return await asyncio.create_subprocess_exec(
        sys.executable, str(scripts()[name]), *arguments, stdout=PIPE, stderr=PIPE, env=variables
    )


async def run(name: str, *arguments: str, script: Sequence[Turn] = ({"text": "unasked"},), **more: str) -> Run:
    async with OpenAIServer({MODEL: script}, key="sk-test") as server:
        process = await start(name, *arguments, server=server, **more)
        out, err = await process.communicate()
    assert (process.returncode, err.decode()) == (0, "")
    return Run(out.decode().splitlines(), server.requests)


@pytest.fixture
async def center() -> AsyncIterator[str]:
    """The URL of a center registry."""
    async with center_registry() as url:
        yield url


def opened(url: str) -> Registry:
    scheme, _, place = url.partition("://")
    return EtcdRegistry([place]) if scheme == "etcd" else CenterRegistry(url)


def calls(tool: str, **arguments: str) -> Turn:
    return {"toolCalls": [{"name": tool, "arguments": arguments}]}


def said(request: dict[str, Any], role: str) -> list[str]:
    return [message["content"] for message in request["messages"] if message["role"] == role]


async def test_lv0_an_agent_answers() -> None:
    ran = await run("lv0_hello_world", script=[{"text": "Good day to you!"}])

    assert ran.lines == ["Good day to you!"]
    assert said(ran.requests[0], "user") == ["Hello! Who are you?"]


async def test_lv1_the_answer_is_an_object_and_is_judged() -> None:
    meat = {**RECIPE, "ingredients": ["lentils", "bacon"]}
    verdicts = [{"satisfied": False, "reason": "bacon is meat"}, {"satisfied": True}]
    turns = [meat, verdicts[0], RECIPE, verdicts[1]]
    ran = await run("lv1_structured_answer", script=[{"text": json.dumps(turn)} for turn in turns])

    assert ran.lines[0] == "Dal, 25 minutes: lentils, cumin"
    assert ran.requests[0]["response_format"]["json_schema"]["name"] == "Recipe"


async def test_lv2_functions_and_another_agent_are_tools() -> None:
    ran = await run(
        "lv2_tools",
        script=[
            calls("days_between", first="2027-03-01", last="2027-03-15"),
            calls("translator", message="fourteen nights"),
            {"text": "quatorze nuits"},
            {"text": "Cela fait quatorze nuits."},
        ],
    )

    assert ran.lines[-1].endswith("Cela fait quatorze nuits.")
    assert [tool["function"]["name"] for tool in ran.requests[0]["tools"]] == [
        "days_between",
        "calculator",
        "translator",
    ]
    assert said(ran.requests[-1], "tool") == ["14", "quatorze nuits"]


async def test_lv3_a_conversation_goes_on_and_another_knows_nothing_of_it() -> None:
    ran = await run("lv3_memory", script=[{"text": "Hello Ada"}, {"text": "The cello"}, {"text": "No"}])

    assert ran.lines == ["Hello Ada", "The cello", "No"]
    assert [len(said(request, "user")) for request in ran.requests] == [1, 2, 1]


async def test_lv4_tools_come_from_an_mcp_server() -> None:
    ran = await run("lv4_mcp", script=[calls("price", article="tea"), {"text": "Tea is 4.20 EUR."}])

    assert ran.lines[-1].endswith("Tea is 4.20 EUR.")
    assert [tool["function"]["name"] for tool in ran.requests[0]["tools"]] == ["price"]
    assert said(ran.requests[1], "tool") == ["4.20 EUR"]


PLAN = {"assignments": [{"member": "researcher", "request": "facts"}]}
TEAMS: dict[str, tuple[Sequence[Turn], str, int]] = {
    "sequential": ([{"text": "facts"}, {"text": "article"}, {"text": "too short"}], "too short", 3),
    "coordinate": ([{"text": json.dumps(PLAN)}, {"text": "facts"}, {"text": "merged"}], "merged", 1),
    "route": ([{"text": json.dumps({"member": "writer"})}, {"text": "article"}], "article", 1),
    "collaborate": ([{"text": "own view"}] * 3 + [{"text": "merged"}], "merged", 3),
    "adaptive": (
        [
            {"text": json.dumps({"member": "researcher", "request": "facts"})},
            {"text": "facts"},
            {"text": json.dumps({"finished": True})},
            {"text": "merged"},
        ],
        "merged",
        1,
    ),
}


@pytest.mark.parametrize("mode", TEAMS)
async def test_lv5_a_team_works_in_each_mode(mode: str) -> None:
    script, answer, members = TEAMS[mode]

    ran = await run("lv5_team_agent", mode, script=script)

    assert ran.lines[-2].endswith(answer)
    assert ran.lines[-1] == f"({mode}: {members} members answered)"
    assert len(ran.requests) == len(script)


async def test_lv6_nodes_of_one_program_find_each_other() -> None:
    script: Sequence[Turn] = [
        {"text": "Short waves scatter most."},
        {"text": "It scatters."},
        {"text": "BLUE! It scatters."},
    ]

    ran = await run("lv6_nodes", script=script)

    assert ran.lines == ["Short waves scatter most.", "BLUE! It scatters."]
    assert said(ran.requests[2], "user") == ["It scatters."]


async def test_lv7_nodes_talk_over_libp2p(center: str, tmp_path: Path) -> None:
    ran = await run("lv7_p2p", center, script=[{"text": "It scatters."}], XDG_STATE_HOME=str(tmp_path))

    assert ran.lines == ["It scatters."]
    assert (tmp_path / "isek" / "private-network.key").is_file()


@pytest.mark.parametrize("kind", ["center", "etcd"])
async def test_lv8_programs_find_each_other_by_a_registry(kind: str, center: str, etcd_server: EtcdServer) -> None:
    [member] = etcd_server.members
    url = center if kind == "center" else f"etcd://{member.endpoint}"
    async with OpenAIServer({MODEL: [{"text": "It scatters."}]}, key="sk-test") as server:
        serving = await start("lv8_registry", "serve", url, server=server)
        async with opened(url) as registry:
            assert await registry.wait_for(lambda: registry.find("librarian.default"), 30)
        asking = await start("lv8_registry", "ask", url, server=server)
        answered, problems = await asking.communicate()
        serving.terminate()
        _, complaints = await serving.communicate()

    assert answered.decode() == "It scatters.\n"
    assert (asking.returncode, problems, serving.returncode, complaints) == (0, b"", 0, b"")


@pytest.mark.parametrize("example", [("lv7_p2p",), ("lv8_registry", "ask")])
async def test_without_a_registry_a_node_says_what_to_do(example: tuple[str, ...], tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    async with OpenAIServer({}, key="sk-test") as server:
        process = await start(*example, nobody, server=server, XDG_STATE_HOME=str(tmp_path))
        _, problem = await process.communicate()

    assert process.returncode == 1
    assert "has not joined its mesh" in problem.decode()
    assert "Traceback" not in problem.decode()


async def test_lv9_a_model_of_one_s_own_needs_no_endpoint() -> None:
    ran = await run("lv9_custom_model")

    assert ran.lines == ["I know the words dice", "The tool says: 4"]
    assert ran.requests == []


async def test_lv10_an_agent_of_another_framework_is_a_member_of_a_team() -> None:
    ran = await run("lv10_adapter", script=[{"text": "A lamp burned. A ship came. All was well."}])

    assert ran.lines[-1].endswith("A lamp burned.")


def test_no_example_is_without_a_test() -> None:
    tests = [name for name in globals() if name.startswith("test_lv")]

    assert {name.split("_")[0] for name in scripts()} == {name.split("_")[1] for name in tests}


async def test_the_command_lists_and_runs_them(tmp_path: Path) -> None:
    script = TEAMS["route"][0]
    async with OpenAIServer({MODEL: script}, key="sk-test") as server:
        home = Home(tmp_path, (("OPENAI_BASE_URL", server.url), ("OPENAI_API_KEY", "sk-test")))
        listed = await home.isek("example", "list")
        ran = await home.isek("example", "run", "lv5_team_agent", "route")

    assert [line.split()[0] for line in listed.out.splitlines() if line.startswith("lv")] == list(scripts())
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == "(route: 1 members answered)"


async def test_a_key_and_an_endpoint_in_dotenv_are_found(tmp_path: Path) -> None:
    async with OpenAIServer({MODEL: [{"text": "hello"}]}, key="sk-dotenv") as server:
        (tmp_path / ".env").write_text(f"OPENAI_BASE_URL={server.url}\nOPENAI_API_KEY=sk-dotenv\n")
        ran = await Home(tmp_path).isek("example", "run", "lv0_hello_world")

    assert (ran.code, ran.err) == (0, "")
    assert "hello" in ran.out


async def test_without_a_key_an_example_says_what_to_do(tmp_path: Path) -> None:
    ran = await Home(tmp_path, (("OPENAI_BASE_URL", ""),)).isek("example", "run", "lv0_hello_world")

    assert "there is no API key" in ran.out
    assert "OPENAI_API_KEY in the environment" in ran.out
    assert "Traceback" not in ran.out + ran.err


async def test_an_example_that_does_not_exist_is_named_with_one_that_does(tmp_path: Path) -> None:
    ran = await Home(tmp_path).isek("example", "run", "team_agent")

    assert ran.code == 1
    assert "there is no example 'team_agent'; did you mean lv5_team_agent?" in ran.err
