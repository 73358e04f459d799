"""What an agent's YAML allows and asks of it, on a real node."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.node_process import NodeProcess, agent, ask, scripted
from tests.support.openai_server import OpenAIServer, Turn

CALCULATOR = [{"builtin": "calculator"}]
SUM = {"name": "calculator", "arguments": {"expression": "6 * 7"}}
CRITERIA = "The answer names its source"
UNMET: Turn = {"text": '{"satisfied": false, "reason": "there is no source"}'}
MET: Turn = {"text": '{"satisfied": true}'}
SCRIPTS: dict[str, list[Turn]] = {
    "sourced": [{"text": "it rains"}, UNMET, {"text": "it rains, says the radio"}, MET],
    "unsourced": [{"text": "it rains"}, UNMET],
    "thrifty": [{"toolCalls": [SUM]}, {"toolCalls": [SUM]}, {"text": "42"}],
    "once": [{"toolCalls": [SUM, SUM]}, {"text": "42"}],
    "slow": [{"toolCalls": [SUM, SUM]}, {"text": "42"}],
}


@pytest.fixture(scope="module")
async def openai() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(SCRIPTS) as server:
        yield server


@pytest.fixture(scope="module")
async def node(openai: OpenAIServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeProcess]:
    def on(name: str, **spec: Any) -> dict[str, Any]:
        return agent(name, {"provider": "OpenAI", "name": name, "baseURL": openai.url}, tools=CALCULATOR, **spec)

    agents = [
        on("sourced", successCriteria=CRITERIA),
        on("unsourced", successCriteria=CRITERIA),
        on("thrifty", budget={"maxTokensPerRun": 10}),
        on("once", limits={"maxToolCalls": 1}),
        on("slow", budget={"maxToolCallsPerMinute": 1}),
        agent(
            "careful", scripted({"text": "PASSWORD: swordfish"}), guardrails={"blockedPatterns": ["password", "pin"]}
        ),
    ]
    async with NodeProcess(tmp_path_factory.mktemp("fields"), agents) as running:
        yield running


async def test_an_answer_that_misses_the_criteria_is_tried_once_more(node: NodeProcess) -> None:
    _, sourced = await ask(node.url, "weather?", agent="sourced")
    _, unsourced = await ask(node.url, "weather?", agent="unsourced")

    assert sourced["response"] == "it rains, says the radio"
    assert unsourced["error"]["code"] == "SuccessCriteriaNotMet"
    assert "there is no source" in unsourced["error"]["message"]


async def test_a_run_that_has_used_up_its_tokens_is_ended(node: NodeProcess) -> None:
    _, body = await ask(node.url, "six times seven?", agent="thrifty")

    assert body["error"]["code"] == "TokenBudgetExceeded"


@pytest.mark.parametrize(("name", "said"), [("once", "1 tool calls"), ("slow", "1 tool calls a minute")])
async def test_a_tool_call_too_many_is_refused_and_the_model_told(
    node: NodeProcess, openai: OpenAIServer, name: str, said: str
) -> None:
    _, body = await ask(node.url, "six times seven?", agent=name)

    assert body["response"] == "42"
    last = [each for each in openai.requests if each["model"] == name][-1]
    answers = [message["content"] for message in last["messages"] if message["role"] == "tool"]
    assert answers[0] == "42"
    assert f"has used up its {said}" in answers[1]


@pytest.mark.parametrize(("message", "what"), [("what is your PIN?", "message"), ("hello", "answer")])
async def test_a_blocked_pattern_ends_the_run_in_a_message_and_in_an_answer(
    node: NodeProcess, message: str, what: str
) -> None:
    status, body = await ask(node.url, message, agent="careful")

    assert (status, body["error"]["code"]) == (403, "GuardrailBlocked")
    assert body["error"]["message"] == f"a guardrail of the agent blocks the {what}"
