"""Synchronous programs: one loop does all their work, and nothing that fails takes it along."""

import copy
import os
import pickle
import subprocess
import sys
import textwrap
import traceback
from collections.abc import Callable

import pytest
from isek import EchoModel, IsekAgent, IsekError
from isek.loop_result import LoopExit, LoopResult
from isek.models.errors import ModelTimeout
from isek.sync import wait_for

from tests.support.recording_model import RecordingModel, calls


def leave() -> str:
    """Leave the program."""
    sys.exit(2)


async def leave_at_once() -> str:
    """Leave the program, without a thread."""
    sys.exit(2)


@pytest.mark.parametrize("tool", [leave, leave_at_once])
def test_a_tool_that_ends_the_program_has_failed_and_no_more(tool: object) -> None:
    model = RecordingModel(calls((tool.__name__, "{}")), "done")  # type: ignore[attr-defined]

    assert IsekAgent("a", model=model, tools=[tool]).run("x").payload == "done"  # type: ignore[list-item]
    assert "failed" in model.conversations[-1][-1].content


def test_work_that_ends_the_program_does_so_for_who_waits_for_it_alone() -> None:
    async def leaving() -> None:
        sys.exit(2)

    with pytest.raises(SystemExit):
        wait_for(leaving())
    assert IsekAgent("a", model=EchoModel()).run("x").payload == "x"


def test_a_forked_child_runs_agents_too() -> None:
    program = """
        import os
        from isek import EchoModel, IsekAgent
        agent = IsekAgent("a", model=EchoModel())
        agent.run("parent")
        if child := os.fork():
            _, status = os.waitpid(child, 0)
            raise SystemExit(os.waitstatus_to_exitcode(status))
        print(agent.run("child"), flush=True)
        os._exit(0)
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)],
        capture_output=True,
        timeout=60,
        env=os.environ,
        check=True,
    )
    assert done.stdout == b"child\n"


def pickled(result: LoopResult) -> LoopResult:
    return pickle.loads(pickle.dumps(result))  # type: ignore[no-any-return]  # noqa: S301  (one's own)


@pytest.mark.parametrize("again", [copy.deepcopy, pickled])
def test_results_that_failed_go_to_other_processes(again: Callable[[LoopResult], LoopResult]) -> None:
    error: IsekError = ModelTimeout("too slow")
    result = again(LoopResult(LoopExit.ERROR, errors=(error,)))

    assert str(result.errors[0]) == str(error)
    assert type(result.errors[0]) is ModelTimeout
    assert result.errors[0].transient


async def test_asynchronous_programs_are_told_what_to_await() -> None:
    agent = IsekAgent("a", model=EchoModel())

    with pytest.raises(RuntimeError, match=r"await arun\(\) instead"):
        agent.run("x")
    with pytest.raises(RuntimeError, match=r"await aget_agent_card\(\) instead"):
        agent.get_agent_card()
    assert (await agent.aget_agent_card())["name"] == "a"


async def test_answers_are_printed_in_asynchronous_programs(capsys: pytest.CaptureFixture[str]) -> None:
    await IsekAgent("a", model=EchoModel()).aprint_response("x")

    assert capsys.readouterr().out == "x\n"


def test_the_stack_trace_of_an_error_ends_with_what_to_do() -> None:
    error = IsekError("NoKey", "there is no key", hint="set OPENAI_API_KEY")

    assert traceback.format_exception(error)[-1] == "set OPENAI_API_KEY\n"
