"""What is wrong with an agent is said where it is made; what is wrong with a model ends in a result."""

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from isek import (
    Budget,
    EchoModel,
    FallbackModel,
    Guardrails,
    HttpTool,
    Image,
    IsekAgent,
    IsekTeam,
    Limits,
    LoopExit,
    Memory,
    Message,
    Model,
    ModelReply,
    OpenAIModel,
    Retries,
    ScriptedModel,
    Tool,
    Toolkit,
    tool,
)
from isek.models.base import OutputSchema, ToolCall, ToolSchema, Usage
from isek.tools.calculator import Calculator

from tests.support.recording_model import RecordingModel, calls


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": 3}, "name must be str, not 3"),
        ({"description": None}, "description must be str, not None"),
        ({"model": "gpt-5-mini"}, "model must be a Model, such as OpenAIModel('gpt-5-mini'), not 'gpt-5-mini'"),
        ({"model": EchoModel}, "model must be a Model"),
        ({"memory": True}, "memory must be Memory, not True"),
        ({"tools": "calculator"}, "tools must be a list, not 'calculator'"),
        ({"tools": Calculator()}, "tools must be a list, not <isek"),
        ({"tools": [3]}, "3 among the tools is no tool, toolkit, agent, team, address or function"),
        ({"tools": [Calculator]}, "Calculator among the tools is a class: make one"),
        ({"tools": [Toolkit]}, "Toolkit among the tools is a class: make one"),
        ({"instructions": 3}, "instructions must be a text, a list of texts or a function, not 3"),
        ({"instructions": ["be brief", 3]}, "instructions must be a text, a list of texts or a function"),
        ({"handoffs": "writer"}, "handoffs must be a list, not 'writer'"),
        ({"hooks": print}, "hooks must be a list, not <built-in function print>"),
        ({"hooks": [1]}, "1 among the hooks is no function"),
        ({"handoffs": [5]}, "5 among the handoffs is no agent, team or address of one"),
        ({"handoffs": [IsekAgent]}, "among the handoffs is no agent, team or address of one"),
        ({"confirm": 1}, "confirm must be a function, not 1"),
        ({"agent_id": 5}, "agent_id must be str, not 5"),
        ({"limits": {"max_iterations": 3}}, "limits must be Limits, not {'max_iterations': 3}"),
    ],
)
def test_an_argument_of_another_type_is_named_when_the_agent_is_made(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError) as refused:
        IsekAgent(**{"model": EchoModel(), **given})

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: IsekTeam("abc"), "team 'team': members must be a list, not 'abc'"),
        (lambda: IsekTeam([5]), "team 'team': 5 among the members is no agent, team or address of one"),  # type: ignore[list-item]
        (lambda: IsekTeam(hooks=[5]), "team 'team': 5 among the hooks is no function"),  # type: ignore[list-item]
        (lambda: Guardrails(blocked_patterns="secret"), "blocked_patterns must be a list of texts, not 'secret'"),  # type: ignore[arg-type]
        (lambda: FallbackModel("gpt"), "FallbackModel takes models, not 'gpt'"),  # type: ignore[arg-type]
        (lambda: ScriptedModel(["hi"]), "a script is of ScriptTurn, such as ScriptTurn(text='hello'), not 'hi'"),  # type: ignore[list-item]
        (lambda: Memory(5), "Memory: url must be a text or a function that reads one, not 5"),  # type: ignore[arg-type]
    ],
)
def test_what_agents_are_made_of_is_checked_when_it_is_made(make: Callable[[], object], said: str) -> None:
    with pytest.raises(TypeError) as refused:
        make()

    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("what", "arguments", "named", "error", "said"),
    [
        (Limits, (), {"max_iterations": "3"}, TypeError, "max_iterations must be a whole number, not '3'"),
        (Limits, (), {"max_iterations": 0}, ValueError, "max_iterations must be at least 1, not 0"),
        (Limits, (), {"timeout_seconds": float("nan")}, ValueError, "timeout_seconds must be at least 0, not nan"),
        (Budget, (), {"max_tokens_per_run": True}, TypeError, "max_tokens_per_run must be a whole number, not True"),
        (Guardrails, (), {"risk_threshold": "High"}, TypeError, "risk_threshold must be RiskLevel, not 'High'"),
        (OpenAIModel, (7,), {}, TypeError, "a model's name must be str, not 7"),
        (OpenAIModel, ("",), {}, ValueError, "a model's name must not be empty"),
        (OpenAIModel, ("m",), {"parameters": [1]}, TypeError, "parameters must be dict, not [1]"),
        (OpenAIModel, ("m",), {"parameters": {"a": Calculator()}}, TypeError, "not JSON serializable"),
        (OpenAIModel, ("m",), {"timeout_seconds": "1"}, TypeError, "timeout_seconds must be a number, not '1'"),
        (OpenAIModel, ("m",), {"max_retries": -1}, ValueError, "max_retries must be at least 0, not -1"),
        (OpenAIModel, ("m",), {"context_window": 1.5}, TypeError, "context_window must be a whole number, not 1.5"),
        (Toolkit, ("k", [3]), {}, TypeError, "a tool is made of a function, not of 3"),
        (Toolkit, ("k", [Calculator]), {}, TypeError, "toolkit 'k': Calculator is a class: make one"),
        (tool, ("rain",), {}, TypeError, "a tool is made of a function, not of 'rain'"),
        (HttpTool, ("stock", 7), {}, TypeError, "tool 'stock': its URL must be str, not 7"),
        (HttpTool, ("stock", "ftp://x/"), {}, ValueError, "tool 'stock': the URL must begin with http:// or https://"),
        (HttpTool, ("my stock", "http://x/"), {}, ValueError, "a tool's name is 1 to 64 letters, digits, _ and -"),
    ],
)
def test_what_cannot_work_is_named_where_it_is_made(
    what: Any, arguments: tuple[Any, ...], named: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as refused:
        what(*arguments, **named)

    assert said in str(refused.value)


def test_there_are_no_fewer_tries_than_none() -> None:
    with pytest.raises(ValueError, match="attempts must be 0 or more, not -1"):
        Retries(attempts=-1)


def test_an_output_type_that_is_none_is_named() -> None:
    result = IsekAgent("a", model=EchoModel(), output_type=object()).run("hello")

    assert result.errors[0].code == "AgentInvalid"
    assert "output_type <object object" in result.errors[0].message


@pytest.mark.parametrize("answering", [IsekAgent("a", model=EchoModel()), IsekTeam()])
@pytest.mark.parametrize("message", [None, 3, b"hello", ["hello"]])
async def test_a_message_must_be_text_or_a_message(answering: IsekAgent | IsekTeam, message: Any) -> None:
    with pytest.raises(TypeError, match=r"a message is a text or a Message, not "):
        await answering.arun(message)


def calculator() -> None:
    """Clashes with the one that comes with Isek."""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([Calculator(), calculator], "a Calculator and the function 'calculator'"),
        ([tool(calculator), Calculator()], "the function 'calculator' and a Calculator"),
        ([Toolkit("sums", [calculator]), Calculator()], "one of toolkit 'sums' and a Calculator"),
        (
            [IsekAgent("calculator", model=EchoModel()), Calculator()],
            "the agent or team 'calculator' and a Calculator",
        ),
    ],
)
def test_two_tools_of_one_name_are_both_named_when_the_agent_is_made(given: list[Any], said: str) -> None:
    with pytest.raises(ValueError, match="agent 'sums': two tools are called 'calculator'") as refused:
        IsekAgent("sums", model=EchoModel(), tools=given)

    assert f"{said}: give one of them another name" in str(refused.value)


def test_a_tool_of_the_name_of_one_that_isek_adds_is_refused_too() -> None:
    def remember() -> None:
        """Clashes with that of the memory."""

    with pytest.raises(ValueError, match="a RememberTool"):
        IsekAgent(model=EchoModel(), tools=[remember], memory=Memory(user_memories=True))


def test_names_that_are_known_only_when_a_toolkit_opens_end_the_run_and_say_which() -> None:
    class Far(Toolkit):
        async def open(self) -> Sequence[Tool]:
            return (Calculator(),)

    result = IsekAgent("sums", model=EchoModel(), tools=[Far("far"), Calculator()]).run("hello")

    assert (result.exit, result.errors[0].code) == (LoopExit.ERROR, "AgentInvalid")
    assert "two tools are called 'calculator', one of toolkit 'far' and a Calculator" in str(result)


class Odd(Model):
    """A model of somebody's own that keeps to no rule."""

    name = "odd"

    def __init__(self, *replies: Any) -> None:
        self._replies = replies
        self._next = 0

    async def invoke(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> ModelReply:
        reply: ModelReply = self._replies[min(self._next, len(self._replies) - 1)]
        self._next += 1
        return reply


class Streaming(Odd):
    """The same, piece by piece."""

    async def invoke_streaming(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> AsyncGenerator[str | ModelReply]:
        for reply in self._replies:
            yield reply


NONSENSE = [None, "hello", 3, {"text": "hello"}, ModelReply(text=None), ModelReply(tool_calls=({"name": "x"},))]  # type: ignore[arg-type]


@pytest.mark.parametrize("reply", NONSENSE)
async def test_a_model_that_answers_nonsense_is_an_error_that_names_it(reply: Any) -> None:
    result = await IsekAgent(model=Odd(reply)).arun("hello")

    assert (result.exit, result.errors[0].code) == (LoopExit.ERROR, "ModelError")
    assert "model odd" in str(result)


@pytest.mark.parametrize("reply", [each for each in NONSENSE if not isinstance(each, str)])
async def test_nonsense_in_a_stream_is_the_same_error(reply: Any) -> None:
    *_, ended = [event async for event in IsekAgent(model=Streaming("so far ", reply)).stream("hello")]

    assert ended.result.errors[0].code == "ModelError"  # type: ignore[union-attr]


async def test_a_model_that_stops_in_the_middle_of_a_stream_is_told_apart() -> None:
    *_, ended = [event async for event in IsekAgent(model=Streaming("so far ")).stream("hello")]

    assert ended.result.errors[0].code == "ModelUnavailable"  # type: ignore[union-attr]


async def test_what_was_said_to_a_model_that_failed_is_not_remembered() -> None:
    memory = Memory()
    agent = IsekAgent(model=Odd(ModelReply("hello"), None, ModelReply("again")), memory=memory)
    await agent.arun("one", session_id="s")
    failed = await agent.arun("two", session_id="s")
    assert failed.failed

    result = await agent.arun("three", session_id="s")

    assert str(result) == "again"


class Small(EchoModel):
    name = "small"
    context_window = 100


class Large(EchoModel):
    context_window = 10_000


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_conversation_longer_than_the_context_is_not_sent_and_ends_with_what_to_do(*, streamed: bool) -> None:
    agent, message = IsekAgent(model=Small()), "long " * 100
    if streamed:
        *_, ended = [event async for event in agent.stream(message)]
        result = ended.result  # type: ignore[union-attr]
    else:
        result = await agent.arun(message)

    assert (result.exit, str(result)) == (
        LoopExit.ERROR,
        "ModelContextTooLong: the conversation has about 129 tokens, and model small takes 100\n"
        "say less at once, or take a model with a larger context",
    )


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_model_that_is_too_small_leaves_it_to_the_next(*, streamed: bool) -> None:
    agent, message = IsekAgent(model=FallbackModel(Small(), Large())), "long " * 100
    if streamed:
        *_, ended = [event async for event in agent.stream(message)]
        assert ended.result.payload == message  # type: ignore[union-attr]
    else:
        assert str(await agent.arun(message)) == message


async def test_a_conversation_that_outgrows_the_context_goes_on_by_its_summary() -> None:
    class Minutes(EchoModel):
        context_window = 1000

        async def invoke(
            self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
        ) -> ModelReply:
            self.check_fits(messages)
            return ModelReply("noted")

    agent = IsekAgent(model=Minutes(), memory=Memory())

    said = [str(await agent.arun(f"{number}: {'x' * 800}", session_id="s")) for number in range(12)]

    assert said == ["noted"] * 12


def test_what_a_conversation_has_is_estimated_by_its_bytes_and_pictures() -> None:
    model = EchoModel()

    def tokens(text: str, *images: Image) -> int:
        return model.count_tokens([Message("user", text, images=images)])

    assert [tokens("tea " * 10), tokens("茶" * 10), tokens("", Image(content=b"x" * 10**6))] == [14, 11, 1004]


@pytest.mark.parametrize("arguments", ["[" * 100_000, '{"message": "\\ud800"}', '{"message": ' + "9" * 5000 + "}"])
async def test_arguments_that_no_reader_takes_do_not_end_the_run(arguments: str) -> None:
    model = RecordingModel(calls(("calculator", arguments)), "I could not")

    assert str(await IsekAgent(model=model, tools=[Calculator()]).arun("go")) == "I could not"
    assert model.conversations[1][-1].content.startswith("error: the arguments")


async def test_a_handoff_with_arguments_that_cannot_be_read_hands_over_what_was_asked() -> None:
    model = RecordingModel(calls(("handoff_to_writer", "[" * 100_000)))

    result = await IsekAgent(model=model, handoffs=["writer"]).arun("write")

    assert (result.exit, result.payload.message) == (LoopExit.HANDOFF, "write")


async def test_what_a_tool_says_can_be_sent_to_any_model() -> None:
    def name_of_a_file() -> str:
        """As the file system has it: not all bytes of it are text."""
        return "caf\udce9"

    model = RecordingModel(calls(("name_of_a_file", "{}")), "thanks")
    await IsekAgent(model=model, tools=[name_of_a_file]).arun("go")

    assert model.conversations[1][-1].content == "caf?"


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
texts = st.text(max_size=20) | json_values.map(json.dumps) | st.just('```json\n{"satisfied": false}\n```')
names = st.sampled_from(["calculator", "add", "handoff_to_writer", "nobody"]) | st.text(max_size=10)
tool_calls = st.builds(ToolCall, st.text(max_size=5), names, texts)
replies = st.builds(ModelReply, texts, st.lists(tool_calls, max_size=3).map(tuple), st.just(Usage(1, 1)))


def add(a: int, b: int = 0) -> int:
    """Add."""
    return a + b


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    said=st.lists(replies | st.sampled_from(NONSENSE), min_size=1, max_size=4),
    output_type=st.sampled_from([None, int, dict[str, int]]),
    criteria=st.sampled_from(["", "brief"]),
    guarded=st.booleans(),
)
def test_whatever_a_model_replies_a_run_ends_in_a_result(
    said: list[Any], output_type: Any, criteria: str, *, guarded: bool
) -> None:
    agent = IsekAgent(
        model=Odd(*said),
        tools=[Calculator(), add],
        handoffs=["writer"] if guarded else [],
        output_type=output_type,
        success_criteria=criteria,
        memory=Memory(),
    )

    result = agent.run("hello", session_id="s")

    assert result.failed == bool(result.exit in {LoopExit.ERROR, LoopExit.MAX_ITERS})
    assert not result.failed or str(result)
