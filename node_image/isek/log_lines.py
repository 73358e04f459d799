"""Lines of the log, as text for people or as JSON for machines: a sentence and the values that belong to it."""

import json
import logging
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from isek.log import log

if TYPE_CHECKING:
    from loguru import Message, Record

QUIET = {"a2a": logging.CRITICAL} | dict.fromkeys(("uvicorn", "httpx", "httpx2", "mcp", "openai"), logging.WARNING)
"""Libraries that log each call, or a stack trace for what a caller did wrong; the answer says it already."""


def as_text(record: "Record") -> str:
    """``2026-01-02T03:04:05.678Z INFO isek.node.host: asked agent="writer"``; a stack trace follows."""
    values = _values(record)
    trace = values.pop("exception", None)
    pairs = "".join(f" {name}={_json(value)}" for name, value in values.items())
    line = f"{_time(record)} {record['level'].name} {record['name']}: {record['message']}{pairs}"
    return f"{line}\n{trace}" if trace else line


def as_json(record: "Record") -> str:
    """One object: ``time``, ``level``, ``logger``, ``message``, and the values."""
    known = {
        "time": _time(record),
        "level": record["level"].name.lower(),
        "logger": record["name"],
        "message": record["message"],
    }
    return _json(known | _values(record))


def write_to_stderr(line: "Callable[[Record], str]") -> "Callable[[Message], None]":
    """A sink for loguru."""

    def write(message: "Message") -> None:
        sys.stderr.write(f"{line(message.record)}\n")
        sys.stderr.flush()

    return write


def route_standard_library(level: str) -> None:
    """Take in what is logged by the standard library's means, such as by uvicorn and aiohttp."""
    logging.basicConfig(level=level, handlers=[_Intercept()], force=True)
    for name, quiet_level in QUIET.items():
        logging.getLogger(name).setLevel(quiet_level)


class _Intercept(logging.Handler):
    """Hands records on to loguru, under the name of who wrote them."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._hand_on(record)
        except Exception:
            self.handleError(record)  # as the standard library's own: whoever logs is not to fail of it

    def _hand_on(self, record: logging.LogRecord) -> None:
        exception = logging.Formatter().formatException(record.exc_info) if record.exc_info else None

        def by_its_writer(taken: "Record") -> None:
            taken["name"] = record.name

        levels = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
        level = record.levelname if record.levelname in levels else record.levelno
        log().bind(exception=exception).patch(by_its_writer).log(level, "{}", record.getMessage())


def _values(record: "Record") -> dict[str, Any]:
    values = {name: value for name, value in record["extra"].items() if value is not None}
    if (error := record["exception"]) is not None:
        values["exception"] = "".join(traceback.format_exception(error.type, error.value, error.traceback)).rstrip()
    return values


def _time(record: "Record") -> str:
    """RFC 3339, UTC, with milliseconds."""
    moment: datetime = record["time"]
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(value: Any) -> str:
    return json.dumps(value, default=str)
