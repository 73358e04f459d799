"""What the guide to clients shows does what it says."""

import asyncio
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.node_process import NodeProcess, agent, scripted

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "clients.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
ANSWER = "Small things scatter blue light."


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeProcess]:
    async with NodeProcess(
        tmp_path_factory.mktemp("node"), [agent("researcher", scripted({"text": ANSWER}))]
    ) as process:
        yield process


@pytest.mark.parametrize(("program", "answers"), [*zip(PROGRAMS, (3, 1), strict=True)])
async def test_the_programs_of_the_guide_get_answers(node: NodeProcess, program: str, answers: int) -> None:
    text = program.replace("http://127.0.0.1:8080", node.url)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", text, stdout=PIPE, stderr=STDOUT)
    said, _ = await process.communicate()

    assert (process.returncode, said.decode().count(ANSWER)) == (0, answers), said.decode()
