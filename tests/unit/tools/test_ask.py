from dataclasses import replace

import pytest
from isek import IsekAgent
from isek.colleague import Far
from isek.errors import CallError
from isek.tools.ask import AskTool
from isek.tools.base import ToolError

from tests.support.asking import Directory, context
from tests.support.recording_model import RecordingModel, calls


async def test_the_agent_is_asked_and_its_answer_returned() -> None:
    directory, call = Directory({"writer": "a text on {message}"}), context()

    assert await AskTool(Far("writer", directory)).call({"message": "tea"}, call) == "a text on tea"
    assert [child.agent for child in call.children] == ["writer.default"]


async def test_an_agent_that_fails_fails_the_tool_with_its_code() -> None:
    directory = Directory({"writer": CallError("AgentUnreachable", "it is away")})

    with pytest.raises(ToolError, match="AgentUnreachable: it is away"):
        await AskTool(Far("writer", directory)).call({"message": "tea"}, context())


async def test_an_agent_of_another_namespace_is_asked_there() -> None:
    tool, call = AskTool(Far("writer.press", Directory({"writer.press": "from the press"}))), context()

    assert await tool.call({"message": "tea"}, call) == "from the press"
    assert tool.schema.name == "writer_press"


def test_a_model_is_told_what_the_mesh_knows_by_now() -> None:
    known = {"writer": ""}
    tool = AskTool(Far("writer", Directory({}, known)))
    assert tool.schema.description == "Asks 'writer', another agent, and returns its answer."

    known["writer"] = "Writes poems."

    assert tool.schema.description.endswith("returns its answer. Writes poems.")


def test_the_name_of_a_tool_is_no_longer_than_models_take() -> None:
    assert len(AskTool(Far(f"{'a' * 40}.{'n' * 63}", Directory({}))).schema.name) == 64


async def test_an_address_in_the_mesh_is_a_tool() -> None:
    model = RecordingModel(calls(("writer_press", '{"message": "tea"}')), "done")
    asker = IsekAgent("asker", model=model, tools=["writer.press"])

    await asker.respond("write", replace(context(), asks=Directory({"writer.press": "wrote {message}"})))
    await asker.aclose()

    assert model.offered == ["writer_press"]
    assert model.conversations[1][-1].content == "wrote tea"
