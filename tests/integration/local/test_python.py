"""Agents in Python files under `isek up`, and how they take up edits."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.support.isek_local import Home, RunningUp
from tests.support.waiting import until

MY_AGENT = Path(__file__).parents[3] / "examples" / "my-agent"
WITHOUT_SIDECARS = """
apiVersion: isek.io/v1alpha1
kind: IsekMesh
metadata: {name: default}
spec: {p2p: {enabled: false}}
"""
AGENT = """
import asyncio
from pathlib import Path

from isek import Adapter
from words import SAYS


class Saying(Adapter):
    async def answer(self, message, context):
        if message == "slowly":
            Path(__file__).with_name("begun").touch()
            while not Path(__file__).with_name("go-on").exists():
                await asyncio.sleep(0.05)
        return SAYS


agent = Saying("NAME")
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(tmp_path / "home")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "agents"
    folder.mkdir()
    (folder / "mesh.yaml").write_text(WITHOUT_SIDECARS)
    return folder


async def test_the_example_answers_in_a_script() -> None:
    script = await asyncio.create_subprocess_exec(
        sys.executable, "-B", str(MY_AGENT / "my_agent.py"), stdout=PIPE, env=dict(os.environ)
    )
    out, _ = await script.communicate()

    assert out.decode() == "You rolled a 4.\n"


@pytest.mark.parametrize("given", ["my_agent.py", "."], ids=["the file", "the folder with its YAML"])
async def test_the_example_answers_under_isek_up(home: Home, given: str) -> None:
    async with RunningUp(home, MY_AGENT / given):
        asked = await home.isek("ask", "croupier", "roll the dice")

    assert (asked.code, asked.out.splitlines()[0]) == (0, "You rolled a 4.")


async def test_an_edit_is_taken_up_and_what_runs_ends_before_and_the_others_run_on(home: Home, folder: Path) -> None:
    (folder / "words.py").write_text('SAYS = "hello"\n')
    (folder / "greeter.py").write_text(AGENT.replace("NAME", "greeter"))
    (folder / "other.py").write_text(AGENT.replace("NAME", "other").replace("from words import SAYS", 'SAYS = "hi"'))
    async with RunningUp(home, folder, "--watch") as up:
        other = _urls(home)["other.default"]
        slowly = asyncio.create_task(home.isek("ask", "greeter", "slowly"))
        await until((folder / "begun").exists, what="the greeter works on it")

        seen = len(up.lines)
        (folder / "words.py").write_text('SAYS = "good morning"\n')
        await up.until_said("applying the edit", after=seen)
        (folder / "go-on").touch()
        assert (await slowly).out.splitlines()[0] == "hello"
        await up.until_said("ready after", after=seen)

        assert (await home.isek("ask", "greeter", "?")).out.splitlines()[0] == "good morning"
        assert _urls(home)["other.default"] == other


async def test_a_file_that_an_edit_breaks_goes_on_as_it_was_and_is_named(home: Home, folder: Path) -> None:
    (folder / "words.py").write_text('SAYS = "hello"\n')
    (folder / "greeter.py").write_text(AGENT.replace("NAME", "greeter"))
    async with RunningUp(home, folder, "--watch") as up:
        seen = len(up.lines)
        (folder / "words.py").write_text('\nSAYS = "hello\n')
        said = await up.until_said(r"words\.py, line 2: SyntaxError", after=seen)
        await up.until_said("ready after", after=seen)

        assert said.endswith("what it was before goes on")
        assert (await home.isek("ask", "greeter", "?")).out.splitlines()[0] == "hello"

        seen = len(up.lines)
        (folder / "words.py").write_text('SAYS = "mended"\n')
        await up.until_said("ready after", after=seen)
        assert (await home.isek("ask", "greeter", "?")).out.splitlines()[0] == "mended"


async def test_a_file_that_fails_is_named_and_the_rest_run(home: Home, folder: Path) -> None:
    (folder / "words.py").write_text('SAYS = "hello"\n')
    (folder / "greeter.py").write_text(AGENT.replace("NAME", "greeter"))
    (folder / "broken.py").write_text("\n\nimport no_such_module\n")
    async with RunningUp(home, folder) as up:
        asked = await home.isek("ask", "greeter", "?")

    assert asked.out.splitlines()[0] == "hello"
    assert any("broken.py, line 3: ModuleNotFoundError: No module named 'no_such_module'" in line for line in up.lines)
    assert not any("Traceback" in line for line in up.lines)


def _urls(home: Home) -> dict[str, str]:
    state = json.loads((home.folder / "state" / "isek" / "local" / "state.json").read_text())
    return {address: node["url"] for node in state["nodes"] for address in node["agents"]}
