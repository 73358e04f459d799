"""A response of the Responses API as it comes to be: its items, and the events of its stream."""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from isek.asking import Answer
from isek.errors import IsekError
from isek.events import Event, ModelReplied, TextDelta
from isek.models.base import ToolCall, Usage
from isek.node.openai_form import EXTENSION, added, said_of, trace_body

Json = dict[str, Any]


class ResponseInMaking:
    """One response. Each step of its run becomes events; what it has become in the end is ``body``.

    Args:
        agent: who answers, as its events say it.
        echoed: what it repeats of its request.
    """

    def __init__(self, agent: str, echoed: Json) -> None:
        self.id = f"resp_{uuid.uuid4().hex}"
        self._agent = agent
        self._echoed = echoed
        self._created_at = int(time.time())
        self._completed_at: int | None = None
        self._status = "in_progress"
        self._error: Json | None = None
        self._extension: Json = {}
        self._output: list[Json] = []
        self._text: list[str] | None = None
        """Pieces of the message that is being written."""
        self._usage = Usage()
        self._number = 0

    @property
    def body(self) -> Json:
        """The response as it is now."""
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created_at,
            "completed_at": self._completed_at,
            "status": self._status,
            "background": False,
            "error": self._error,
            "incomplete_details": None,
            "output": self._output,
            "temperature": None,
            "top_p": None,
            "truncation": "disabled",
            "usage": None if self._status == "in_progress" else _usage_body(self._usage),
            **self._echoed,
            EXTENSION: self._extension,
        }

    def begin(self) -> Iterator[str]:
        """The run has begun."""
        yield self._event("response.created", response=self.body)
        yield self._event("response.in_progress", response=self.body)

    def take(self, event: Event) -> Iterator[str]:
        """A step of the run."""
        self.count(event)
        if isinstance(event, TextDelta) and event.agent == self._agent:
            yield from self._write(event.text)
        elif isinstance(event, ModelReplied) and event.agent == self._agent:
            yield from self._end_message()  # what it said beside calls of tools is a message of its own

    def complete(self, answer: Answer) -> Iterator[str]:
        """There is an answer, or there are calls for the caller to make."""
        yield from self._end_message()
        if answer.text and not (self._output and self._output[-1]["content"][0]["text"] == answer.text):
            yield from self._write(answer.text)
            yield from self._end_message()
        for call in answer.wanted.calls if answer.wanted else ():
            yield from self._call(call)
        self._status, self._completed_at, self._extension = "completed", int(time.time()), trace_body(answer)
        yield self._event("response.completed", response=self.body)

    def fail(self, error: IsekError) -> Iterator[str]:
        """There is no answer."""
        yield from self._end_message()
        code = "rate_limit_exceeded" if error.status == 429 else "server_error"
        self._status, self._error = "failed", {"code": code, "message": f"{error.code}: {said_of(error)}"}
        self._extension = error.to_json()
        yield self._event("response.failed", response=self.body)

    def count(self, event: Event) -> None:
        """Count what a step has used."""
        self._usage = added(self._usage, event)

    def _write(self, text: str) -> Iterator[str]:
        if self._text is None:
            self._text = []
            item = {"type": "message", "id": f"msg_{uuid.uuid4().hex}", "role": "assistant", "status": "in_progress"}
            self._output.append({**item, "content": []})
            yield self._event("response.output_item.added", output_index=self._place, item=self._output[-1])
            yield self._event("response.content_part.added", **self._part, part=_part(""))
        self._text.append(text)
        yield self._event("response.output_text.delta", **self._part, delta=text, logprobs=[])

    def _end_message(self) -> Iterator[str]:
        if self._text is None:
            return
        text, self._text = "".join(self._text), None
        item = self._output[-1] = {**self._output[-1], "status": "completed", "content": [_part(text)]}
        yield self._event("response.output_text.done", **self._part, text=text, logprobs=[])
        yield self._event("response.content_part.done", **self._part, part=_part(text))
        yield self._event("response.output_item.done", output_index=self._place, item=item)

    def _call(self, call: ToolCall) -> Iterator[str]:
        item = {"type": "function_call", "id": f"fc_{uuid.uuid4().hex}", "call_id": call.id, "name": call.name}
        begun = {**item, "arguments": "", "status": "in_progress"}
        done = {**item, "arguments": call.arguments, "status": "completed"}
        self._output.append(done)
        place = {"output_index": self._place, "item_id": item["id"]}
        yield self._event("response.output_item.added", output_index=self._place, item=begun)
        yield self._event("response.function_call_arguments.delta", **place, delta=call.arguments)
        yield self._event("response.function_call_arguments.done", **place, name=call.name, arguments=call.arguments)
        yield self._event("response.output_item.done", output_index=self._place, item=done)

    @property
    def _place(self) -> int:
        return len(self._output) - 1

    @property
    def _part(self) -> Json:
        return {"output_index": self._place, "item_id": self._output[-1]["id"], "content_index": 0}

    def _event(self, kind: str, **fields: Any) -> str:
        said = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return f"event: {kind}\ndata: {json.dumps(said)}\n\n"


def _part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage_body(usage: Usage) -> Json:
    """The tokens of all calls of models in a run; how many of them a provider had in a cache is not known here."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.total_tokens,
    }
