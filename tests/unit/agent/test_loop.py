import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from isek import EchoModel, IsekAgent, Limits, ScriptedModel
from isek.agent.tool_calls import MAX_CHARACTERS
from isek.api.model import ScriptTurn
from isek.asking import CallContext
from isek.colleague import Far
from isek.errors import CallError, RunError
from isek.events import Event, ModelReplied, ToolEnded
from isek.loop_result import LoopExit
from isek.models.base import Message, Model, ModelReply, OutputSchema, ToolSchema, Usage
from isek.tools.ask import AskTool
from isek.tools.base import Tool
from isek.tools.calculator import Calculator

from tests.support.asking import Directory, context
from tests.support.recording_model import RecordingModel, calls


class Slow(Tool):
    """A tool that takes its time."""

    schema = ToolSchema("slow", "", {})

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.cancelled = False

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        try:
            await asyncio.sleep(self._seconds)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "done"


class Together(Tool):
    """A tool whose calls end only when so many of them run at the same time."""

    schema = ToolSchema("together", "", {})

    def __init__(self, calls: int) -> None:
        self._missing = calls
        self._all_there = asyncio.Event()

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        self._missing -= 1
        if self._missing == 0:
            self._all_there.set()
        await asyncio.wait_for(self._all_there.wait(), 30)
        return "done"


class Broken(Tool):
    """A tool with a bug."""

    schema = ToolSchema("broken", "", {})

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        raise KeyError("an inner matter")


async def test_a_model_that_answers_at_once_satisfies() -> None:
    model = RecordingModel(ModelReply("hello", usage=Usage(5, 2)))

    result = await IsekAgent(model=model, instructions="be brief").respond("hi", context())

    assert (result.exit, result.answer(), result.iterations, result.total_tokens) == ("satisfied", "hello", 1, 7)
    assert model.conversations == [[Message("system", "be brief"), Message("user", "hi")]]


async def test_tools_are_called_and_their_answers_go_back_to_the_model() -> None:
    asked = calls(("calculator", '{"expression": "6*7"}'))
    model = RecordingModel(asked, ModelReply("it is 42"))

    result = await IsekAgent(model=model, tools=[Calculator()]).respond("6*7?", context())

    assert (result.payload, result.iterations, result.tool_calls) == ("it is 42", 2, 1)
    assert model.offered == ["calculator"]
    assert model.conversations[1][1:] == [
        Message("assistant", tool_calls=asked.tool_calls),
        Message("tool", "42", tool_call_id="c0"),
    ]


async def test_several_tool_calls_run_at_the_same_time_and_are_answered_in_their_order() -> None:
    model = RecordingModel(
        calls(("together", "{}"), ("calculator", '{"expression": "1"}'), ("together", "{}")), ModelReply("ok")
    )

    await IsekAgent(model=model, tools=[Together(2), Calculator()]).respond("go", context())

    assert [(answer.tool_call_id, answer.content) for answer in model.conversations[1][2:]] == [
        ("c0", "done"),
        ("c1", "1"),
        ("c2", "done"),
    ]


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("calculator", '{"expression": "1/0"}', "error: '1/0' divides by zero"),
        ("calculator", '{"expression": ', "error: the arguments of 'calculator' must be one JSON object"),
        ("calculator", "[1]", "error: the arguments of 'calculator' must be one JSON object"),
        ("calculator", "", "error: the arguments must be one text, 'expression'; got []"),
        ("oracle", "{}", "error: there is no tool 'oracle'; there are: calculator, broken, writer"),
        ("broken", "{}", "error: the tool failed"),
        ("writer", '{"message": "x"}', "error: AgentUnreachable: it is away"),
    ],
)
async def test_what_goes_wrong_in_a_tool_is_told_to_the_model(name: str, arguments: str, told: str) -> None:
    model = RecordingModel(calls((name, arguments)), ModelReply("I could not"))
    directory = Directory({"writer": CallError("AgentUnreachable", "it is away")})
    runner = IsekAgent(model=model, tools=[Calculator(), Broken(), AskTool(Far("writer", directory))])

    result = await runner.respond("go", context())

    assert result.exit is LoopExit.SATISFIED
    assert model.conversations[1][-1].content == told


async def test_agents_that_are_asked_become_children_of_the_run() -> None:
    model = RecordingModel(calls(*[("writer", json.dumps({"message": "x"}))] * 2), ModelReply("ok"))
    call = context()

    await IsekAgent(model=model, tools=[AskTool(Far("writer", Directory({"writer": "y"})))]).respond("go", call)

    assert [child.agent for child in call.children] == ["writer.default"] * 2


async def test_a_model_that_never_stops_asking_for_tools_ends_at_the_limit() -> None:
    turn = ScriptTurn.model_validate({"toolCalls": [{"name": "calculator", "arguments": {"expression": "1"}}]})
    runner = IsekAgent(model=ScriptedModel([turn]), tools=[Calculator()], limits=Limits(max_iterations=3))

    result = await runner.respond("go", context())

    assert (result.exit, result.iterations, result.tool_calls) == (LoopExit.MAX_ITERS, 3, 3)
    assert result.errors[0].code == "MaxIterationsReached"


async def test_a_model_that_fails_ends_the_run_with_its_code() -> None:
    result = await IsekAgent(model=ScriptedModel([ScriptTurn(error="out of order")])).respond("go", context())

    assert result.exit is LoopExit.ERROR
    with pytest.raises(RunError, match="ModelError: out of order"):
        result.answer()


async def test_the_callers_deadline_ends_the_run_and_its_tools() -> None:
    slow = Slow(30)
    runner = IsekAgent(model=RecordingModel(calls(("slow", "{}"), tokens=9)), tools=[slow])

    result = await runner.respond("go", context(seconds=0.1))

    assert (result.exit, result.errors[0].code, result.total_tokens) == (LoopExit.ERROR, "DeadlineExceeded", 9)
    assert slow.cancelled


async def test_the_limit_on_time_holds_also_when_the_caller_has_more() -> None:
    hanging = ScriptedModel([ScriptTurn(delay_milliseconds=60000)], timeout_seconds=20)
    agent = IsekAgent(model=hanging, limits=Limits(timeout_seconds=0.1))

    result = await agent.respond("go", context(seconds=600))

    assert result.errors[0].code == "DeadlineExceeded"


async def test_a_timeout_inside_a_model_is_not_taken_for_the_deadline() -> None:
    class Timing(Model):
        async def invoke(
            self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
        ) -> ModelReply:
            raise TimeoutError

    result = await IsekAgent(model=Timing()).respond("go", context())

    assert result.errors[0].code == "ModelError"


async def test_whoever_watches_is_told_of_each_step() -> None:
    steps: list[tuple[str, str]] = []

    def watch(event: Event) -> None:
        if isinstance(event, ModelReplied):
            steps.append(("model", event.error or "OK"))
        elif isinstance(event, ToolEnded):
            steps.append((event.tool, "failed" if event.failed else "OK"))

    turns = [
        {"toolCalls": [{"name": "calculator", "arguments": {"expression": "1"}}, {"name": "oracle"}]},
        {"error": "out of order"},
    ]
    model = ScriptedModel([ScriptTurn.model_validate(turn) for turn in turns])
    await IsekAgent(model=model, tools=[Calculator()], hooks=[watch]).respond("go", context())

    assert steps == [("model", "OK"), ("calculator", "OK"), ("oracle", "failed"), ("model", "ModelError")]


async def test_runs_of_one_agent_share_nothing() -> None:
    runner = IsekAgent(model=EchoModel())

    results = await asyncio.gather(*(runner.respond(f"message {number}", context()) for number in range(50)))

    assert [result.payload for result in results] == [f"message {number}" for number in range(50)]


async def test_an_empty_answer_is_asked_for_once_more() -> None:
    model = RecordingModel(" ", "tea")
    assert (await IsekAgent(model=model).respond("what?", context())).payload == "tea"
    assert model.conversations[1][-1].content == "That was empty. Answer."

    silent = RecordingModel("", "")
    assert (await IsekAgent(model=silent).respond("what?", context())).exit is LoopExit.SATISFIED


async def test_what_a_tool_says_is_cut_off_before_it_fills_the_models_context() -> None:
    def flood() -> str:
        return "x" * 50_000_000

    model = RecordingModel(calls(("flood", "{}")), "much")
    await IsekAgent(model=model, tools=[flood]).respond("go", context())

    told = model.conversations[1][-1].content
    assert len(told) < MAX_CHARACTERS + 100
    assert told.endswith("[cut off after 262144 characters]")
