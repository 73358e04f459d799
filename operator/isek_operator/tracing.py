"""Spans of what the operator does, for OpenTelemetry.

They are made where the environment names a receiver (``OTEL_EXPORTER_OTLP_ENDPOINT``, and the other variables of
https://opentelemetry.io/docs/specs/otel/protocol/exporter/). Elsewhere a span is next to nothing, and OpenTelemetry is
not imported.
"""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol

from isek_operator.keys import Key

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Span(Protocol):
    """What goes on, and how it ended."""

    def ended(self, outcome: str, *, failed: bool = False) -> None:
        """A run ended like that."""

    def answered(self, status: int) -> None:
        """A request was answered with that status."""


class Tracer(Protocol):
    """Makes spans; each is a part of the one around it."""

    def reconcile(self, key: Key) -> AbstractContextManager[Span]:
        """A run for one custom resource."""
        ...

    def step(self, name: str) -> AbstractContextManager[Span]:
        """A part of a run."""
        ...

    def request(
        self, method: str, url: str, query: Mapping[str, str] | None, headers: dict[str, str]
    ) -> AbstractContextManager[Span]:
        """A request in the course of a run; ``headers`` get what tells the server of the trace."""
        ...

    def ids(self) -> Mapping[str, str]:
        """``trace_id`` and ``span_id`` of the present span, for log lines; empty outside of any."""
        ...

    def close(self) -> None:
        """Send what is left."""


class _Nothing:
    """The span, and the tracer, where nobody traces."""

    def ended(self, outcome: str, *, failed: bool = False) -> None:
        """Nothing."""

    def answered(self, status: int) -> None:
        """Nothing."""

    def reconcile(self, _key: Key) -> "_Nothing":
        return self

    def step(self, _name: str) -> "_Nothing":
        return self

    def request(
        self, _method: str, _url: str, _query: Mapping[str, str] | None, _headers: dict[str, str]
    ) -> "_Nothing":
        return self

    def ids(self) -> Mapping[str, str]:
        return {}

    def close(self) -> None:
        """Nothing."""

    def __enter__(self) -> "_Nothing":
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        return None


_tracer: Tracer = _Nothing()


def set_up() -> None:
    """Trace from now on, where the environment asks for it."""
    global _tracer  # noqa: PLW0603  (like logging: one for the process)
    wanted = any(os.environ.get(name) for name in ENDPOINTS)
    if wanted and os.environ.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp":
        from isek_operator.otlp import OtlpTracer  # noqa: PLC0415

        _tracer = OtlpTracer()


def tracer() -> Tracer:
    """The tracer of the process."""
    return _tracer
