"""Each example as its user runs it, against a server that speaks the OpenAI API."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from isek.cli.example import scripts

from tests.support.isek_local import Home
from tests.support.openai_server import OpenAIServer, Turn

MODEL = "gpt-5-mini"
RECIPE = {"title": "Dal", "minutes": 25, "ingredients": ["lentils", "cumin"]}


@dataclass(frozen=True)
class Run:
    """What an example did: its lines, and what its model was asked."""

    lines: list[str]
    requests: list[dict[str, Any]]


async def run(name: str, *arguments: str, script: Sequence[Turn] = ({"text": "unasked"},)) -> Run:
    async with OpenAIServer({MODEL: script}, key="sk-test") as server:
        variables = {**os.environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(scripts()[name]), *arguments, stdout=PIPE, stderr=PIPE, env=variables
        )
        out, err = await process.communicate()
    assert (process.returncode, err.decode()) == (0, "")
    return Run(out.decode().splitlines(), server.requests)


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
