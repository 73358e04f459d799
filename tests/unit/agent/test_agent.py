"""What a developer does with an agent."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import pytest
from isek import EchoModel, Guardrails, Handoff, IsekAgent, Memory, Message, ModelReply, ToolError, Toolkit
from isek.asking import CallContext
from isek.events import AskEnded, AskStarted, Event, RunEnded, RunStarted, TextDelta, ToolEnded, ToolStarted
from isek.loop_result import LoopExit
from pydantic import BaseModel

from tests.support.asking import context
from tests.support.recording_model import RecordingModel, calls
from tests.support.waiting import until

T = TypeVar("T")


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_the_result_of_a_run_prints_as_its_answer() -> None:
    assert str(IsekAgent(model=EchoModel()).run("hello")) == "hello"


def test_an_agent_without_a_model_is_refused() -> None:
    with pytest.raises(ValueError, match="agent 'writer' has no model"):
        IsekAgent("writer")


def test_an_agent_goes_on_with_its_own_conversation() -> None:
    model = RecordingModel("hello Ada", "Ada")
    agent = IsekAgent(model=model, memory=Memory())

    agent.run("I am Ada")
    agent.run("who am I?")

    assert model.conversations[1] == [
        Message("user", "I am Ada"),
        Message("assistant", "hello Ada"),
        Message("user", "who am I?"),
    ]


async def test_conversations_and_users_do_not_mix() -> None:
    who = [(user, session) for user in ("ada", "bob") for session in ("1", "2")]
    model = RecordingModel(*["ok"] * 2 * len(who))
    agent = IsekAgent(model=model, memory=Memory())

    await asyncio.gather(*(agent.arun(f"{user}{session}", user, session) for user, session in who))
    await asyncio.gather(*(agent.arun("again", user, session) for user, session in who))

    seen = [[message.content for message in conversation] for conversation in model.conversations[len(who) :]]
    assert sorted(seen) == sorted([f"{user}{session}", "ok", "again"] for user, session in who)


async def test_a_call_without_a_session_is_not_remembered() -> None:
    model, memory = RecordingModel("a", "b"), Memory()
    agent = IsekAgent(model=model, memory=memory)

    await agent.respond("one", context())
    await agent.respond("two", context())

    assert model.conversations[1] == [Message("user", "two")]


def test_instructions_may_be_several_points() -> None:
    model = RecordingModel("ok")

    IsekAgent(model=model, instructions=["Be brief.", "Be kind."]).run("hi")

    assert model.conversations[0][0] == Message("system", "- Be brief.\n- Be kind.")


def test_instructions_may_be_made_for_each_call() -> None:
    model = RecordingModel("ok")

    def for_user(call: CallContext) -> str:
        return f"You talk to {call.user_id}."

    IsekAgent(model=model, instructions=for_user).run("hi", "ada")

    assert model.conversations[0][0] == Message("system", "You talk to ada.")


async def test_instructions_that_are_read_from_somewhere_hold_nobody_up() -> None:
    asked, gone_on = threading.Event(), threading.Event()
    model = RecordingModel("ok")

    def read() -> str:
        asked.set()
        return f"others went on: {gone_on.wait(20)}"

    asking = asyncio.create_task(IsekAgent(model=model, instructions=read).arun("hi"))
    await until(asked.is_set, what="the instructions are read", within=30)
    gone_on.set()
    await asking

    assert model.conversations[0][0] == Message("system", "others went on: True")


def test_a_toolkit_says_how_its_tools_are_used() -> None:
    model = RecordingModel("ok")

    IsekAgent(model=model, tools=[Toolkit("sums", [add], instructions="Add in your head where you can.")]).run("hi")

    assert model.offered == ["add"]
    assert model.conversations[0][0] == Message("system", "Add in your head where you can.")


class City(BaseModel):
    name: str
    people: int


def test_an_answer_is_an_object_of_the_wanted_type() -> None:
    model = RecordingModel('```json\n{"name": "Graz", "people": 300000}\n```')

    result = IsekAgent(model=model, output_type=City).run("a city")

    assert result.answer() == City(name="Graz", people=300000)
    assert model.output is not None
    assert model.output.name == "City"


def test_an_answer_that_does_not_fit_is_asked_for_again() -> None:
    model = RecordingModel("Graz", '{"name": "Graz"}', '{"name": "Graz", "people": 300000}')

    result = IsekAgent(model=model, output_type=City).run("a city")

    assert (result.answer().people, result.iterations) == (300000, 3)
    assert "people" in model.conversations[2][-1].content


def test_a_model_that_never_finds_the_form_ends_the_run() -> None:
    result = IsekAgent(model=RecordingModel(*["Graz"] * 3), output_type=City).run("a city")

    assert (result.exit, result.errors[0].code) == (LoopExit.ERROR, "OutputInvalid")


def test_an_answer_that_misses_the_criteria_is_asked_for_once_more() -> None:
    model = RecordingModel(
        "Rain.", '{"satisfied": false, "reason": "no source"}', "Rain, says the Times.", '{"satisfied": true}'
    )

    result = IsekAgent(model=model, success_criteria="names its source").run("weather?")

    assert str(result) == "Rain, says the Times."
    assert "no source" in model.conversations[2][-1].content


def test_an_answer_that_misses_the_criteria_twice_is_none() -> None:
    judged = '{"satisfied": false, "reason": "no source"}'

    result = IsekAgent(model=RecordingModel("Rain.", judged, "Rain!", judged), success_criteria="a source").run("?")

    assert (result.exit, result.errors[0].code) == (LoopExit.ERROR, "SuccessCriteriaNotMet")


def test_a_verdict_that_nobody_can_read_does_not_hold_up_an_answer() -> None:
    result = IsekAgent(model=RecordingModel("Rain.", "I rather like it"), success_criteria="a source").run("weather?")

    assert (str(result), result.iterations) == ("Rain.", 1)


async def test_the_steps_of_a_run_can_be_followed() -> None:
    agent = IsekAgent("sums", model=RecordingModel(calls(("add", '{"a": 1, "b": 2}')), "3"), tools=[add])

    events = [event async for event in agent.stream("1+2?")]

    steps = [event for event in events if not hasattr(event, "seconds")]
    assert steps[:2] == [RunStarted("sums", "1+2?"), ToolStarted("sums", "c0", "add", '{"a": 1, "b": 2}')]
    assert [event.content for event in events if isinstance(event, ToolEnded)] == ["3"]
    assert steps[2] == TextDelta("sums", "3")
    assert isinstance(steps[3], RunEnded)
    assert str(steps[3].result) == "3"


async def test_whoever_stops_listening_ends_the_run() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        """Wait."""
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    stream = IsekAgent(model=RecordingModel(calls(("wait", "{}"))), tools=[wait]).stream("go")
    while not isinstance(await anext(stream), ToolStarted):
        pass
    await begun.wait()
    await stream.aclose()

    assert cancelled.is_set()


async def test_another_agent_is_a_tool_and_its_steps_are_seen() -> None:
    writer = IsekAgent("writer", model=RecordingModel("a poem"), description="Writes.")
    editor = IsekAgent(
        "editor", model=RecordingModel(calls(("writer", '{"message": "write"}')), "done"), tools=[writer]
    )

    events = [event async for event in editor.stream("a poem please")]

    assert AskStarted("writer", "write", by="editor") in events
    assert [event.agent for event in events if isinstance(event, AskEnded)] == ["writer"]
    assert TextDelta("writer", "a poem") in events


def test_a_task_can_be_given_away() -> None:
    writer = IsekAgent("writer", model=EchoModel())
    asked = calls(("handoff_to_writer", '{"message": "a poem on tea"}'))

    result = IsekAgent(model=RecordingModel(asked), handoffs=[writer]).run("tea")

    assert (result.exit, result.payload) == (LoopExit.SATISFIED, "a poem on tea")


def test_what_was_given_away_is_remembered() -> None:
    asked = calls(("handoff_to_writer", '{"message": "a poem on tea"}'))
    model = RecordingModel(asked, "a poem")
    desk = IsekAgent(model=model, handoffs=[IsekAgent("writer", model=EchoModel())], memory=Memory())

    desk.run("tea, please")
    desk.run("what did I ask for?")

    assert model.conversations[1] == [
        Message("user", "tea, please"),
        Message("assistant", tool_calls=asked.tool_calls),
        Message("tool", "handed over to 'writer': a poem on tea", tool_call_id="c0"),
        Message("user", "what did I ask for?"),
    ]


def test_a_task_that_is_given_to_an_address_is_the_callers_to_carry() -> None:
    asked = calls(("handoff_to_writer", '{"message": "a poem on tea"}'))

    result = IsekAgent(model=RecordingModel(asked), handoffs=["writer"]).run("tea")

    assert (result.exit, result.payload) == (LoopExit.HANDOFF, Handoff("writer", "a poem on tea"))
    assert str(result) == "handed over to 'writer': a poem on tea"


def test_agents_of_a_program_that_ask_each_other_in_a_circle_come_to_an_end() -> None:
    class Asking(EchoModel):
        async def invoke(self, messages: Sequence[Message], *_: object, **__: object) -> ModelReply:
            return ModelReply(messages[-1].content) if messages[-1].role == "tool" else next(asked)

    asked = iter([calls(("there", '{"message": "?"}')), calls(("here", '{"message": "?"}'))] * 20)
    here, there = IsekAgent("here", model=Asking()), IsekAgent("there", model=Asking())
    here.tools, there.tools = (there,), (here,)

    assert "CallDepthExceeded: agents asked each other 16 calls deep" in str(here.run("who?"))


async def test_agents_that_give_a_task_to_each_other_for_ever_come_to_an_end() -> None:
    here = IsekAgent("here", model=RecordingModel(*[calls(("handoff_to_there", '{"message": "you"}'))] * 20))
    there = IsekAgent("there", model=RecordingModel(*[calls(("handoff_to_here", '{"message": "no, you"}'))] * 20))
    here.handoffs, there.handoffs = (there,), (here,)

    *_, ended = [event async for event in here.stream("who?")]

    assert isinstance(ended, RunEnded)
    assert ended.result.errors[0].code == "CallDepthExceeded"


def test_what_is_said_before_the_answer_is_printed_on_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    asked = calls(("add", '{"a": 2, "b": 2}'))
    model = RecordingModel(replace(asked, text="Let me see."), "It is 4.")

    IsekAgent(model=model, tools=[add]).print_response("2+2?")

    assert capsys.readouterr().out == "Let me see.\nIt is 4.\n"


def test_the_answer_of_who_takes_over_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    asked = replace(calls(("handoff_to_writer", '{"message": "a poem on tea"}')), text="Ask the writer.")
    desk = IsekAgent("desk", model=RecordingModel(asked), handoffs=[IsekAgent("writer", model=EchoModel())])

    desk.print_response("tea")

    assert capsys.readouterr().out == "Ask the writer.\na poem on tea\n"


def test_a_failure_after_the_first_words_is_printed_below_them(capsys: pytest.CaptureFixture[str]) -> None:
    class BreakingOff(RecordingModel):
        async def invoke_streaming(self, *_: object, **__: object) -> AsyncGenerator[str | ModelReply]:
            yield "It is"

    IsekAgent(model=BreakingOff()).print_response("2+2?")

    first, second, *_ = capsys.readouterr().out.splitlines()
    assert (first, second.partition(":")[0]) == ("It is", "ModelUnavailable")


def test_a_hook_may_refuse_a_tool() -> None:
    def no_sums(event: Event) -> None:
        if isinstance(event, ToolStarted):
            raise ToolError("not today")

    model = RecordingModel(calls(("add", '{"a": 1, "b": 2}')), "I may not")

    IsekAgent(model=model, tools=[add], hooks=[no_sums]).run("1+2?")

    assert model.conversations[1][-1].content == "error: not today"


def test_an_agent_may_be_changed_between_its_runs() -> None:
    toolkit = Toolkit("sums", [add])
    agent = IsekAgent(model=RecordingModel("one"), tools=[toolkit])
    agent.run("hi")

    @toolkit.register
    def double(a: int) -> int:
        """Double it."""
        return 2 * a

    def ring() -> None:
        """Ring the bell."""

    agent.model = model = RecordingModel("two", '{"x": 3}', "four")
    agent.instructions = "Be brief."
    agent.tools = (toolkit, ring)
    assert str(agent.run("hi")) == "two"
    assert model.offered == ["add", "double", "ring"]
    assert model.conversations[0][0] == Message("system", "Be brief.")

    agent.output_type = Point
    assert agent.run("a point").answer() == Point(3)

    agent.output_type = None
    agent.guardrails = Guardrails(blocked_patterns=("secret",))
    assert agent.run("a secret").exit is LoopExit.GUARDRAIL_BLOCK


def test_instances_do_not_need_a_loop() -> None:
    async def twice(agent: IsekAgent) -> str:
        return str(await agent.arun("hi"))

    agent = IsekAgent(model=EchoModel())

    assert asyncio.run(twice(agent)) == asyncio.run(twice(agent)) == "hi"


@dataclass
class Point:
    x: int


def test_output_may_be_a_dataclass_or_a_list() -> None:
    assert IsekAgent(model=RecordingModel('[{"x": 1}]'), output_type=list[Point]).run("?").answer() == [Point(1)]


async def test_the_form_of_an_answer_has_a_name_that_endpoints_take() -> None:
    class Page(BaseModel, Generic[T]):
        items: list[T]

    model = RecordingModel('{"items": [1]}')

    answer = (await IsekAgent(model=model, output_type=Page[int]).arun("go")).answer()

    assert answer == Page[int](items=[1])
    assert model.output is not None
    assert model.output.name == "Page_int_"
