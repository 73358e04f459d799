import json
import logging
from collections.abc import Iterator

import pytest
from isek.node.logs import configure_logging, fields


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_text_is_a_sentence_and_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("Text", "info")

    logging.getLogger("isek.node").info("asked", extra=fields(agent="writer", reason=None, ms=1.5))
    logging.getLogger("isek.node").debug("not worth a line")

    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith('Z INFO isek.node: asked agent="writer" ms=1.5')


def test_json_is_an_object_a_line_also_with_an_exception(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("JSON", "info")

    try:
        int("x")
    except ValueError:
        logging.getLogger("isek.node").exception("failed", extra=fields(id="ab"))

    [line] = capsys.readouterr().err.splitlines()
    record = json.loads(line)
    assert (record["level"], record["logger"], record["message"], record["id"]) == (
        "error",
        "isek.node",
        "failed",
        "ab",
    )
    assert "ValueError" in record["exception"]
