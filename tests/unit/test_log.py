import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from isek.log import NAME, configure_logging, log, log_fault
from loguru import logger as program_logger

QUIET_AGENT = """
from isek import IsekAgent, ScriptedModel
from isek.api.model import ScriptTurn

def broken() -> str:
    raise KeyError("inner matter")

script = [ScriptTurn(toolCalls=[{"name": "broken"}]), ScriptTurn(text="done")]
agent = IsekAgent(model=ScriptedModel(script), tools=[broken], debug_mode=DEBUG_MODE)
print(agent.run("go"))
"""


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    log().remove()
    log().disable(NAME)


def stderr_of(program: str) -> str:
    """What a program that succeeds writes to standard error."""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return ran.stderr


def fail_with_a_secret() -> None:
    key = "sk-do-not-show"
    log().info("a line before")
    raise ValueError(f"{len(key)} characters are too few")


def json_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().err.splitlines()[-1])
    return found


def test_text_is_a_sentence_and_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("Text", "info")

    program_logger.info("asked", agent="writer", reason=None, ms=1.5)
    program_logger.debug("not worth a line")

    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith(f'Z INFO {__name__}: asked agent="writer" ms=1.5')


def test_json_is_an_object_a_line_also_with_an_exception(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("JSON", "info")

    try:
        int("x")
    except ValueError:
        log_fault("failed", id="ab")

    record = json_line(capsys)
    assert list(record) == ["time", "level", "logger", "message", "id", "exception"]
    assert (record["level"], record["logger"], record["id"]) == ("error", __name__, "ab")
    assert record["message"].startswith("failed: ValueError: invalid literal for int() with base 10: 'x' (/")
    assert record["exception"].splitlines()[-1] == "ValueError: invalid literal for int() with base 10: 'x'"


def test_what_the_standard_library_logs_comes_along_under_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("JSON", "info")

    logging.getLogger("aiohttp.server").warning("%d {braces}", 2)
    warned = json_line(capsys)
    try:
        int("x")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("it broke")
    broke = json_line(capsys)
    logging.getLogger("uvicorn.access").info("GET /healthz")

    assert (warned["level"], warned["logger"], warned["message"]) == ("warning", "aiohttp.server", "2 {braces}")
    assert (broke["logger"], "ValueError" in broke["exception"]) == ("uvicorn.error", True)
    assert capsys.readouterr().err == ""


def test_whoever_logs_what_cannot_be_put_together_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("JSON", "info")

    logging.getLogger("a.library").info("%d things", "several")

    assert "Logging error" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["Text", "JSON"])
def test_a_stack_trace_shows_no_values_of_variables(form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(form, "info")

    try:
        fail_with_a_secret()
    except ValueError:
        log_fault("ours")
        program_logger.exception("the program's own")
        logging.getLogger("a.library").exception("a library's")

    said = capsys.readouterr().err
    assert said.count("ValueError: 14 characters") == 4  # that of Isek in the sentence, too
    assert "sk-do-not-show" not in said.replace('key = "sk-do-not-show"', "")


def test_a_fault_shows_no_values_where_the_program_has_loguru_show_them() -> None:
    lines: list[str] = []
    program_logger.add(lines.append, diagnose=True, backtrace=True)
    log().enable("")

    try:
        fail_with_a_secret()
    except ValueError:
        log_fault("ours")

    assert len(lines) == 2
    assert "sk-do-not-show" not in "".join(lines)


def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        configure_logging("Text", "loud")


def test_a_library_keeps_quiet() -> None:
    assert stderr_of(QUIET_AGENT.replace("DEBUG_MODE", "False")) == ""


def test_a_program_may_let_it_speak_before_it_has_said_anything() -> None:
    enabled = 'from loguru import logger; logger.enable("isek")\n'

    assert "tool broken failed unexpectedly" in stderr_of(enabled + QUIET_AGENT.replace("DEBUG_MODE", "False"))


def test_a_program_may_let_a_part_of_it_speak() -> None:
    enabled = 'from loguru import logger; logger.enable("isek.memory")\n'

    assert stderr_of(enabled + QUIET_AGENT.replace("DEBUG_MODE", "False")) == ""


def test_debug_mode_shows_the_steps() -> None:
    said = stderr_of(QUIET_AGENT.replace("DEBUG_MODE", "True"))

    assert "RunStarted(" in said
    assert "ToolStarted(" in said


def test_debug_mode_says_what_a_tool_broke_of_and_where() -> None:
    said = stderr_of(QUIET_AGENT.replace("DEBUG_MODE", "True"))

    assert "tool broken failed unexpectedly: KeyError: 'inner matter' (<string>, line 6)" in said


def test_to_import_an_agent_costs_nothing_for_the_log() -> None:
    program = "import sys; from isek import IsekAgent; sys.exit('loguru' in sys.modules)"

    assert stderr_of(program) == ""
