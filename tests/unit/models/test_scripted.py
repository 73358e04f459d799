import asyncio
import json
import time

import pytest
from isek import EchoModel, ScriptedModel
from isek.api.model import ScriptTurn
from isek.errors import RunError
from isek.models.base import Message, Model, ModelReply, OutputSchema

USER = Message("user", "tea")


def script(*turns: dict[str, object], timeout_seconds: float = 60) -> ScriptedModel:
    return ScriptedModel([ScriptTurn.model_validate(turn) for turn in turns], timeout_seconds=timeout_seconds)


async def run(model: Model, calls: int) -> list[ModelReply]:
    conversation, replies = [Message("system", "be brief"), USER], []
    for _ in range(calls):
        reply = await model.invoke(conversation)
        replies.append(reply)
        conversation.append(Message("assistant", reply.text, tool_calls=reply.tool_calls))
    return replies


async def test_echo_answers_with_the_message() -> None:
    assert (await EchoModel().invoke([USER])).text == "tea"


async def test_each_call_takes_a_turn_and_the_last_repeats() -> None:
    replies = await run(script({"text": "one"}, {"text": "two"}), calls=3)

    assert [reply.text for reply in replies] == ["one", "two", "two"]


async def test_a_turn_may_wait_for_a_word_of_the_message() -> None:
    model = script({"when": "coffee", "text": "no"}, {"when": "tea", "text": "yes"}, {"text": "else"})

    assert [reply.text for reply in await run(model, calls=2)] == ["yes", "else"]
    assert (await model.invoke([Message("user", "water")])).text == "else"


async def test_a_message_for_which_there_is_no_turn_is_an_error() -> None:
    with pytest.raises(RunError, match="no turn for this"):
        await script({"when": "coffee", "text": "no"}).invoke([USER])


async def test_an_output_answers_where_a_form_is_asked_for_and_a_text_elsewhere() -> None:
    model, form = script({"output": {"member": "rain"}}, {"text": "about {input}"}), OutputSchema("Choice", {})

    assert json.loads((await model.invoke([USER], output=form)).text) == {"member": "rain"}
    assert (await model.invoke([USER])).text == "about tea"
    assert (await script({"text": "{}"}).invoke([USER], output=form)).text == "{}"


async def test_each_run_begins_anew() -> None:
    model = script({"text": "one"}, {"text": "two"})

    assert [reply.text for reply in [*await run(model, calls=2), *await run(model, calls=1)]] == ["one", "two", "one"]


async def test_a_later_message_of_the_same_conversation_begins_anew() -> None:
    model = script({"text": "one {input}"}, {"text": "two"})

    reply = await model.invoke([USER, Message("assistant", "one tea"), Message("user", "milk")])

    assert reply.text == "one milk"


async def test_tool_calls_are_asked_for_with_ids_of_their_own() -> None:
    calls = [{"name": "calculator", "arguments": {"expression": "1"}}, {"name": "writer", "arguments": {}}]

    [reply] = await run(script({"toolCalls": calls}), calls=1)

    assert [(call.name, json.loads(call.arguments)) for call in reply.tool_calls] == [
        ("calculator", {"expression": "1"}),
        ("writer", {}),
    ]
    assert len({call.id for call in reply.tool_calls}) == 2


async def test_a_scripted_error_is_a_model_error() -> None:
    with pytest.raises(RunError) as failed:
        await run(script({"error": "the model is out of order"}), calls=1)

    assert (failed.value.code, failed.value.message) == ("ModelError", "the model is out of order")


async def test_a_delay_passes_before_the_next_turn() -> None:
    begun = time.monotonic()

    [reply] = await run(script({"delayMilliseconds": 60}, {"delayMilliseconds": 60}, {"text": "late"}), calls=1)

    assert reply.text == "late"
    assert time.monotonic() - begun >= 0.12


async def test_a_script_that_ends_in_a_delay_hangs_until_its_timeout() -> None:
    with pytest.raises(RunError) as failed:
        await run(script({"delayMilliseconds": 1}, timeout_seconds=0.05), calls=1)

    assert failed.value.code == "ModelTimeout"


async def test_a_delay_past_the_timeout_is_a_model_timeout() -> None:
    with pytest.raises(RunError) as failed:
        await run(script({"delayMilliseconds": 60000}, {"text": "late"}, timeout_seconds=0.05), calls=1)

    assert failed.value.code == "ModelTimeout"


async def test_runs_at_the_same_time_do_not_mix() -> None:
    model = script({"delayMilliseconds": 5}, {"text": "one"}, {"text": "two"})

    results = await asyncio.gather(*(run(model, calls=2) for _ in range(20)))

    assert all([reply.text for reply in replies] == ["one", "two"] for replies in results)


async def test_the_message_fills_the_arguments_of_tool_calls_too() -> None:
    script = [ScriptTurn.model_validate({"toolCalls": [{"name": "t", "arguments": {"a": ["{input}!", 1]}}]})]

    reply = await ScriptedModel(script).invoke([Message(role="user", content="rain")])

    assert json.loads(reply.tool_calls[0].arguments) == {"a": ["rain!", 1]}
