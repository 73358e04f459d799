import pytest
from isek.api.agent import Tool
from isek.api.workload import LocalReference
from isek.errors import CallError
from isek.tools.ask_agent import AskAgent
from isek.tools.base import ToolError
from isek.tools.build import build_tools

from tests.support.asking import Directory, context


async def test_the_agent_is_asked_and_its_answer_returned() -> None:
    directory, call = Directory({"writer": "a text on {message}"}), context()

    assert await AskAgent("writer", directory).call({"message": "tea"}, call) == "a text on tea"
    assert [child.agent for child in call.children] == ["writer.default"]


async def test_an_agent_that_fails_fails_the_tool_with_its_code() -> None:
    directory = Directory({"writer": CallError("AgentUnreachable", "it is away")})

    with pytest.raises(ToolError, match="AgentUnreachable: it is away"):
        await AskAgent("writer", directory).call({"message": "tea"}, context())


def test_tools_are_known_by_their_names() -> None:
    specs = [Tool(builtin="calculator"), Tool(agent=LocalReference(name="writer"))]

    assert list(build_tools(specs, Directory({}))) == ["calculator", "writer"]


def test_two_tools_of_one_name_are_refused() -> None:
    specs = [Tool(builtin="calculator"), Tool(agent=LocalReference(name="calculator"))]

    with pytest.raises(ValueError, match=r"spec\.tools\[1\]: there is a tool called 'calculator' already"):
        build_tools(specs, Directory({}))
