"""Log lines, for people or for machines, with the object that they are about."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

from isek_operator.keys import Key
from isek_operator.tracing import tracer

WATCHES_SECONDS = 10.0
"""In an outage, each of a dozen watches complains every second."""
TRACES_SECONDS = 300.0
"""A receiver of traces that is away is complained of with each batch."""
SENDERS_OF_TRACES = ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk._shared_internal")

_about: ContextVar[Key | None] = ContextVar("about", default=None)


@contextmanager
def about(key: Key) -> Iterator[None]:
    """Lines written within are about that object."""
    token = _about.set(key)
    try:
        yield
    finally:
        _about.reset(token)


def set_up(log_format: Literal["Text", "JSON"], level: str) -> None:
    """Write all logs to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "JSON" else TextFormatter())
    logging.captureWarnings(True)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # one line for each event of each object, and Kopf's own start-up talk
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    logging.getLogger("kopf").setLevel(max(logging.getLogger().level, logging.WARNING))
    for each in ("watching", "fetching"):
        logging.getLogger(f"kopf._cogs.clients.{each}").addFilter(Sparse(WATCHES_SECONDS))
    for each in SENDERS_OF_TRACES:
        logging.getLogger(each).addFilter(Sparse(TRACES_SECONDS))
    logging.getLogger("aiohttp").setLevel(logging.WARNING)


class Sparse(logging.Filter):
    """Lets one record through in so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds, self._next = seconds, 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is time for another one."""
        if record.created < self._next:
            return False
        self._next = record.created + self._seconds
        return True


class TextFormatter(logging.Formatter):
    """``2026-01-02T03:04:05.678Z INFO IsekAgent newsroom/writer: created Deployment …``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a fault's traceback follows."""
        key = _about.get()
        line = f"{_time(record)} {record.levelname} {key or record.name}: {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``message``; of what the line is about ``kind``,
    ``namespace``, ``name``; and where it is traced, ``trace_id`` and ``span_id``.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (key := _about.get()) is not None:
            fields |= key._asdict()
        fields |= tracer().ids()
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
