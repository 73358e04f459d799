"""Lines on stderr, as text for people or as JSON for machines: a sentence and the values that belong to it."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal

FIELDS = "fields"
"""The key of ``extra`` under which a record carries its values."""

QUIET = {"a2a": logging.CRITICAL, "uvicorn": logging.WARNING, "httpx": logging.WARNING, "openai": logging.WARNING}
"""Libraries that log each call, or a stack trace for what a caller did wrong; the answer says it already."""


def fields(**values: Any) -> dict[str, dict[str, Any]]:
    """The ``extra`` of a record that carries ``values``; those that are None are left out."""
    return {FIELDS: {name: value for name, value in values.items() if value is not None}}


def timestamp(seconds: float) -> str:
    """Seconds since the epoch in RFC 3339, UTC, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        values = getattr(record, FIELDS, {})
        pairs = "".join(f" {name}={json.dumps(value)}" for name, value in values.items())
        line = f"{timestamp(record.created)} {record.levelname} {record.name}: {record.getMessage()}{pairs}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _JSON(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure_logging(log_format: Literal["Text", "JSON"], level: str) -> None:
    """Send the whole process's log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JSON() if log_format == "JSON" else _Text())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name, quiet_level in QUIET.items():
        logging.getLogger(name).setLevel(quiet_level)
