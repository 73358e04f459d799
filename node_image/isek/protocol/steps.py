"""The steps of a run as lines of JSON, between nodes: what a member does, its leader's callers hear as it happens."""

import json
from typing import Any

from isek.errors import RunError
from isek.events import (
    AskEnded,
    AskStarted,
    Event,
    ModelReplied,
    RunEnded,
    RunStarted,
    TextDelta,
    ToolEnded,
    ToolStarted,
)
from isek.loop_result import LoopExit, LoopResult
from isek.models.base import Usage

STEPS = "application/x-ndjson"
"""The media type. After the steps the last line is what else would be the whole answer, with ``httpStatus`` beside an
error; empty lines mean nothing."""
BEGINNING = b'{"step"'
"""Of the line of a step."""

_KINDS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (RunStarted, TextDelta, ModelReplied, ToolStarted, ToolEnded, AskStarted, AskEnded, RunEnded)
}


def step_line(event: Event) -> str:
    """The line of a step. Of a run that ended it has the text, the tokens and the error."""
    fields: dict[str, Any] = dict(vars(event))
    if isinstance(event, RunEnded):
        result = event.result
        fields["result"] = {
            "exit": result.exit,
            "payload": result.payload if isinstance(result.payload, str) else str(result.payload),
            "total_tokens": result.total_tokens,
            "errors": [[error.code, error.message, error.hint] for error in result.errors],
        }
    if isinstance(event, ModelReplied) and event.usage is not None:
        fields["usage"] = vars(event.usage)
    return json.dumps({"step": type(event).__name__} | fields) + "\n"


def read_step(line: bytes) -> Event | None:
    """The step that a line tells of; None: one of another version."""
    try:
        fields = json.loads(line)
        kind = _KINDS[fields.pop("step")]
        if kind is RunEnded:
            told = fields["result"]
            errors = tuple(RunError(code, message, hint=hint) for code, message, hint in told["errors"])
            fields["result"] = LoopResult(
                LoopExit(told["exit"]), told["payload"], total_tokens=told["total_tokens"], errors=errors
            )
        if fields.get("usage") is not None:
            fields["usage"] = Usage(**fields["usage"])
        return kind(**fields)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
