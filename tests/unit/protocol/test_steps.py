import pytest
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
from isek.protocol.steps import BEGINNING, read_step, step_line

STEPS: list[Event] = [
    RunStarted("writer", "tea\nor coffee?"),
    TextDelta("writer", "über"),
    ModelReplied("writer", 1.5, Usage(3, 4)),
    ModelReplied("writer", 1.5, error="ModelError"),
    ToolStarted("writer", "c1", "calculator", "{}"),
    ToolEnded("writer", "c1", "calculator", "4", 0.1, failed=True),
    AskStarted("editor", "tea", "writer"),
    AskEnded("editor", 0.1, "Cancelled", "writer"),
    RunEnded("writer", LoopResult(LoopExit.SATISFIED, "done", total_tokens=7)),
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_a_step_arrives_as_it_was_told(step: Event) -> None:
    line = step_line(step).encode()

    assert line.startswith(BEGINNING)
    assert line.count(b"\n") == 1
    assert read_step(line) == step


def test_why_a_run_failed_is_told() -> None:
    failed = RunEnded("writer", LoopResult(LoopExit.ERROR, errors=(RunError("ModelError", "no", hint="wait"),)))

    told = read_step(step_line(failed).encode())

    assert isinstance(told, RunEnded)
    [error] = told.result.errors
    assert (error.code, error.message, error.hint) == ("ModelError", "no", "wait")


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"{}", b'{"step": "Later"}', b'{"step": "TextDelta"}', b'{"step": "RunEnded", "result": 1}'],
)
def test_what_is_no_step_of_this_version_is_passed_over(line: bytes) -> None:
    assert read_step(line) is None
