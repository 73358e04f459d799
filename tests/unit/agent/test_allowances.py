"""What an agent may use and do."""

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest
from isek import Budget, EchoModel, FunctionTool, Guardrails, IsekAgent, Limits, RiskLevel
from isek.agent import guard
from isek.agent.guard import MINUTE
from isek.loop_result import LoopExit

from tests.support.recording_model import RecordingModel, calls
from tests.support.waiting import until


def ring() -> str:
    """Ring the bell."""
    return "it rang"


RISKY = FunctionTool(ring, risk_level=RiskLevel.HIGH)


def test_a_message_that_a_guardrail_forbids_reaches_no_model() -> None:
    model = RecordingModel()

    result = IsekAgent(model=model, guardrails=Guardrails(blocked_patterns=("pass.?word",))).run("the Password please")

    assert (result.exit, result.errors[0].code) == (LoopExit.GUARDRAIL_BLOCK, "GuardrailBlocked")
    assert model.conversations == []


async def test_whoever_is_asked_to_confirm_may_think_while_others_go_on() -> None:
    asked, gone_on = threading.Event(), threading.Event()
    model = RecordingModel(calls(("ring", "{}")), "done")

    def confirm(*_: object) -> bool:
        asked.set()
        return gone_on.wait(20)

    asking = asyncio.create_task(IsekAgent(model=model, tools=[RISKY], confirm=confirm).arun("ring"))
    await until(asked.is_set, what="somebody is asked", within=30)
    gone_on.set()
    await asking

    assert model.conversations[1][-1].content == "it rang"


async def test_an_answer_that_a_guardrail_forbids_is_not_told_piece_by_piece_either() -> None:
    agent = IsekAgent(model=RecordingModel("it is hunter2"), guardrails=Guardrails(blocked_patterns=("hunter2",)))

    events = [event async for event in agent.stream("tell me")]

    assert not [event for event in events if "hunter2" in str(event)]


def test_a_pattern_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="is no regular expression"):
        IsekAgent(model=EchoModel(), guardrails=Guardrails(blocked_patterns=("(",)))


def test_a_risky_tool_is_not_called_where_nobody_confirms() -> None:
    model = RecordingModel(calls(("ring", "{}")), "I could not")

    IsekAgent(model=model, tools=[RISKY]).run("ring")

    assert model.conversations[1][-1].content == "error: 'ring' is risky and nobody is there to confirm it"


@pytest.mark.parametrize(("said", "told"), [(True, "it rang"), (False, "error: 'ring' was not confirmed")])
def test_a_risky_tool_is_called_when_it_is_confirmed(*, said: bool, told: str) -> None:
    model = RecordingModel(calls(("ring", "{}")), "ok")

    async def confirm(*_: object) -> bool:
        return said

    IsekAgent(model=model, tools=[RISKY], confirm=confirm).run("ring")

    assert model.conversations[1][-1].content.startswith(told)


def test_a_higher_threshold_lets_a_risky_tool_pass() -> None:
    model = RecordingModel(calls(("ring", "{}")), "ok")

    IsekAgent(model=model, tools=[RISKY], guardrails=Guardrails(risk_threshold=RiskLevel.HIGH)).run("ring")

    assert model.conversations[1][-1].content == "it rang"


def test_a_run_that_has_used_its_tokens_ends() -> None:
    model = RecordingModel(calls(("ring", "{}"), tokens=100), "never asked")

    result = IsekAgent(model=model, tools=[ring], budget=Budget(max_tokens_per_run=100)).run("go")

    assert (result.errors[0].code, result.total_tokens) == ("TokenBudgetExceeded", 100)
    assert result.iterations == len(model.conversations) == 1


@pytest.mark.parametrize(
    ("limits", "budget"),
    [(Limits(max_tool_calls=2), Budget()), (Limits(), Budget(max_tool_calls_per_minute=2))],
)
def test_tool_calls_beyond_what_is_allowed_are_refused(limits: Limits, budget: Budget) -> None:
    model = RecordingModel(calls(*[("ring", "{}")] * 3), "ok")

    result = IsekAgent(model=model, tools=[ring], limits=limits, budget=budget).run("ring three times")

    told = [message.content for message in model.conversations[1] if message.role == "tool"]
    assert told[:2] == ["it rang", "it rang"]
    assert "used up" in told[2]
    assert result.tool_calls == 2


def test_a_minute_later_tools_may_be_called_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = calls(("ring", "{}"))
    model = RecordingModel(asked, "rung", asked, "not yet", asked, "rung again")
    agent = IsekAgent(model=model, tools=[ring], budget=Budget(max_tool_calls_per_minute=1))

    agent.run("ring")
    agent.run("ring")
    a_minute_later = time.monotonic() + MINUTE
    monkeypatch.setattr(guard, "time", SimpleNamespace(monotonic=lambda: a_minute_later))
    agent.run("ring")

    told = [conversation[-1].content for conversation in model.conversations[1::2]]
    assert (told[0], told[2]) == ("it rang", "it rang")
    assert "used up" in told[1]


def test_a_tool_that_hangs_is_cut_off() -> None:
    async def hang() -> None:
        """Hang."""
        await asyncio.Event().wait()

    model = RecordingModel(calls(("hang", "{}")), "I gave up")
    begun = time.monotonic()

    result = IsekAgent(model=model, tools=[FunctionTool(hang, timeout_seconds=0.05)]).run("go")

    assert str(result) == "I gave up"
    assert model.conversations[1][-1].content == "error: 'hang' did not answer within 0.05 s"
    assert time.monotonic() - begun < 10
