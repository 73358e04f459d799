"""Whatever an endpoint answers, it is a reply or an error of the one family."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isek import ModelError, ModelReply
from isek.models.chat_completions import ChatCompletions
from isek.models.responses import Responses
from isek.models.wire import Wire

WORDS = (
    *(
        "choices",
        "message",
        "delta",
        "content",
        "refusal",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "index",
        "id",
    ),
    *("finish_reason", "usage", "prompt_tokens", "type", "output", "error", "code", "response", "incomplete_details"),
)
KINDS = ("message", "function_call", "reasoning", "error", "response.completed", "response.output_text.delta", "stop")
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(KINDS) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)
answers = st.one_of(
    values,
    values.map(lambda said: {"choices": [{"message": said, "finish_reason": "stop"}]}),
    st.lists(values, max_size=2).map(lambda items: {"output": items}),
)
events = st.one_of(
    values,
    values.map(lambda said: {"choices": [{"delta": said}]}),
    st.tuples(st.sampled_from(KINDS), answers).map(lambda each: {"type": each[0], "response": each[1]}),
)
wires = pytest.mark.parametrize("wire", [ChatCompletions("m"), Responses("m")], ids=["chat", "responses"])


@wires
@settings(max_examples=300, deadline=None)
@given(answer=answers)
def test_any_answer_is_a_reply_or_a_model_error(wire: Wire, answer: Any) -> None:
    with suppress(ModelError):
        assert isinstance(wire.reply(json.dumps(answer).encode()), ModelReply)


@wires
@settings(max_examples=300, deadline=None)
@given(told=st.lists(events, max_size=4))
def test_any_stream_is_a_reply_or_a_model_error_or_breaks_off(wire: Wire, told: list[Any]) -> None:
    gathering = wire.gathering()
    with suppress(ModelError):
        assert all(isinstance(gathering.take(event), str) for event in told)
        assert isinstance(gathering.reply(), ModelReply | None)
