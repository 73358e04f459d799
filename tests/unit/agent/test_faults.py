"""Bugs of what an agent is made of end in a result, not in an exception."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from isek import Adapter, EchoModel, IsekAgent, IsekTeam, Limits, Retries, RunError
from isek.asking import CallContext
from isek.events import Event, RunEnded, RunStarted, ToolStarted
from isek.loop_result import LoopExit, LoopResult
from isek.models.base import Model, ModelReply, ToolSchema
from isek.tools.base import Tool

from tests.support.asking import context
from tests.support.log_lines import LogLines
from tests.support.recording_model import RecordingModel, calls

LIMITS = Limits(timeout_seconds=20)
"""For what would hang if it were not cancelled."""


class Raising(Model):
    """A model of somebody's own, with a bug."""

    async def invoke(self, *_: Any, **__: Any) -> ModelReply:
        raise ConnectionError("no route, key sk-1")


class Synchronous(Model):
    def invoke(self, *_: Any, **__: Any) -> ModelReply:  # type: ignore[override]
        return ModelReply("hello")


class Late(Adapter):
    def answer(self, message: str, context: CallContext) -> str:
        raise TimeoutError("upstream is slow")


def failing(event_type: type[Event]) -> Callable[[Event], None]:
    def hook(event: Event) -> None:
        if isinstance(event, event_type):
            raise KeyError("inner matter")

    return hook


def broken_instructions() -> str:
    raise KeyError("inner matter")


@pytest.mark.parametrize(
    ("answering", "code", "said"),
    [
        (IsekAgent("a", model=Raising()), "ModelError", "model Raising failed: ConnectionError: no route, key sk-1"),
        (IsekAgent("a", model=Synchronous()), "ModelError", "model Synchronous failed: TypeError: "),
        (Late("a"), "AdapterFailed", "'a' failed: TimeoutError: upstream is slow"),
        (
            IsekAgent("a", model=EchoModel(), instructions=broken_instructions),
            "InternalError",
            "'a' failed: KeyError: 'inner matter'",
        ),
        (
            IsekAgent("a", model=EchoModel(), hooks=[failing(RunStarted)]),
            "InternalError",
            "'a' failed: KeyError: 'inner matter'",
        ),
        (IsekTeam([Late("b")], hooks=[failing(RunStarted)]), "InternalError", "'team' failed: KeyError: "),
    ],
)
async def test_what_is_raised_within_a_run_is_how_it_ended(
    answering: IsekAgent | IsekTeam | Adapter, code: str, said: str
) -> None:
    *_, ended = [event async for event in answering.stream("hello")]

    assert isinstance(ended, RunEnded)
    result = ended.result
    assert (result.exit, result.errors[0].code) == (LoopExit.ERROR, code)
    assert result.errors[0].message.startswith(said)
    assert result.errors[0].__cause__ is not None


@pytest.mark.parametrize("model", [Raising(), RecordingModel()])
async def test_callers_of_a_node_are_not_told_what_was_raised(model: Model, log: LogLines) -> None:
    result = await IsekAgent("a", model=model).respond("hello", replace(context(), node_id="n"))

    message = result.errors[0].message
    assert "sk-1" not in message
    assert "IndexError" not in message
    [fault] = [values for values in log.values if "exception" in values]
    assert message.endswith(f"something unexpected happened (id {fault['id']})")


def test_a_team_may_go_on_without_a_member_whose_model_raises() -> None:
    broken, well = IsekAgent("broken", model=Raising()), IsekAgent("well", model=EchoModel())

    result = IsekTeam([broken, well], retries=Retries(attempts=0), on_member_failure="continue").run("hello")

    assert str(result) == "hello"


@pytest.mark.parametrize(("raised", "code"), [(RunError("Late", "no"), "Late"), (KeyError("k"), "InternalError")])
async def test_a_hook_that_fails_at_the_end_does_not_change_the_answer(raised: Exception, code: str) -> None:
    def hook(event: Event) -> None:
        if isinstance(event, RunEnded):
            raise raised

    *_, ended = [event async for event in IsekAgent(model=EchoModel(), hooks=[hook]).stream("hello")]

    assert isinstance(ended, RunEnded)
    assert (str(ended.result), [error.code for error in ended.result.errors]) == ("hello", [code])


class Odd(Tool):
    """Returns what is no text, or raises what is no error."""

    schema = ToolSchema("odd", "", {})

    def __init__(self, returned: Any) -> None:
        self._returned = returned

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        if isinstance(self._returned, BaseException):
            raise self._returned
        return self._returned  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("returned", "told"),
    [({"a": 1}, '{"a": 1}'), (None, "null"), (asyncio.CancelledError(), "error: the tool failed")],
)
async def test_a_tool_that_returns_no_text_or_cancels_itself_does_not_end_the_run(returned: Any, told: str) -> None:
    model = RecordingModel(calls(("odd", "{}")), "done")

    result = await IsekAgent(model=model, tools=[Odd(returned)]).arun("go")

    assert (str(result), model.conversations[1][-1].content) == ("done", told)


async def test_when_a_run_ends_its_tools_have_ended_too() -> None:
    begun, cleaned_up = asyncio.Event(), asyncio.Event()

    async def long() -> None:
        """Take long, and clean up for a while."""
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned_up.set()

    async def stop(event: Event) -> None:
        if isinstance(event, ToolStarted) and event.tool == "other":
            await begun.wait()
            raise RunError("Stop", "no")

    agent = IsekAgent(
        model=RecordingModel(calls(("long", "{}"), ("other", "{}"))), tools=[long], hooks=[stop], limits=LIMITS
    )
    result = await agent.arun("go")

    assert result.errors[0].code == "Stop"
    assert cleaned_up.is_set()


async def test_when_a_member_fails_the_others_have_ended_too() -> None:
    begun, cleaned_up = asyncio.Event(), asyncio.Event()

    class Long(Adapter):
        async def answer(self, message: str, context: CallContext) -> str:
            try:
                begun.set()
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                cleaned_up.set()
            return ""

    class Failing(Adapter):
        async def answer(self, message: str, context: CallContext) -> str:
            await begun.wait()
            raise KeyError("inner matter")

    result: LoopResult = await IsekTeam(
        [Long("long"), Failing("failing")], "collaborate", model=EchoModel(), limits=LIMITS
    ).arun("go")

    assert result.errors[0].code == "MemberFailed"
    assert cleaned_up.is_set()
