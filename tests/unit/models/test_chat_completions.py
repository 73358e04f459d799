"""Chat completions as endpoints send them that are compatible with OpenAI's, more or less."""

from typing import Any

import pytest
from isek.models.base import ModelReply, ToolCall
from isek.models.chat_completions import ChatCompletions


def part(arguments: str, **about: Any) -> dict[str, Any]:
    name = {"name": "add"} if "id" in about else {}
    return {**about, "function": {**name, "arguments": arguments}}


def streamed(*deltas: list[dict[str, Any]]) -> ModelReply | None:
    gathering = ChatCompletions("m").gathering()
    for delta in deltas:
        gathering.take({"choices": [{"delta": {"tool_calls": delta}}]})
    gathering.take({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})
    return gathering.reply()


@pytest.mark.parametrize(
    "deltas",
    [
        [[part("", index=0, id="a")], [part("{1", index=0)], [part("}", index=0)], [part("{2}", index=1, id="b")]],
        [[part("{1}", index=0, id="a")], [part("{2", index=0, id="b")], [part("}", index=0)]],
        [[part("{1}", id="a"), part("{2}", id="b")]],
        [[part("{1", index=0, id="a")], [part("}", index=0, id="a")], [part("{2}", index=1, id="b")]],
    ],
    ids=["OpenAI", "all of index 0", "no index", "the id in each part"],
)
def test_two_calls_at_a_time_are_two(deltas: list[list[dict[str, Any]]]) -> None:
    reply = streamed(*deltas)

    assert reply is not None
    assert reply.tool_calls == (ToolCall("a", "add", "{1}"), ToolCall("b", "add", "{2}"))
