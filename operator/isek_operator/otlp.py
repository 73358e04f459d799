"""Spans that are sent to a receiver by OTLP over HTTP. Imported only where that is asked for."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from urllib.parse import urlencode, urlsplit

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from isek_operator.keys import Key

NAME = "isek-operator"


class OtlpSpan:
    """One span of OpenTelemetry."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def ended(self, outcome: str, *, failed: bool = False) -> None:
        """A run ended like that."""
        self._span.set_attribute("isek.outcome", outcome)
        if failed:
            self._span.set_status(Status(StatusCode.ERROR, outcome))

    def answered(self, status: int) -> None:
        """A request was answered with that status."""
        self._span.set_attribute("http.response.status_code", status)
        if status >= 400:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(Status(StatusCode.ERROR))


class OtlpTracer:
    """Makes spans and sends them behind everything else, in a thread of their own."""

    def __init__(self) -> None:
        os.environ.setdefault("OTEL_SERVICE_NAME", NAME)
        self._provider = TracerProvider(resource=Resource.create({"service.version": version(NAME)}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(NAME, version(NAME))

    @contextmanager
    def reconcile(self, key: Key) -> Iterator[OtlpSpan]:
        """A run for one custom resource."""
        attributes = {"isek.kind": key.kind, "k8s.namespace.name": key.namespace, "isek.name": key.name}
        with self._tracer.start_as_current_span(f"reconcile {key.kind}", attributes=attributes) as span:
            yield OtlpSpan(span)

    @contextmanager
    def step(self, name: str) -> Iterator[OtlpSpan]:
        """A part of a run."""
        with self._tracer.start_as_current_span(name) as span:
            yield OtlpSpan(span)

    @contextmanager
    def request(
        self, method: str, url: str, query: Mapping[str, str] | None, headers: dict[str, str]
    ) -> Iterator[OtlpSpan]:
        """A request in the course of a run (OpenTelemetry, semantic conventions for HTTP clients).

        What is asked for outside of any run, such as the renewal of the Lease each second, is left out.
        """
        if not trace.get_current_span().is_recording():
            yield OtlpSpan(trace.INVALID_SPAN)
            return
        server = urlsplit(url)
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "url.full": f"{url}?{urlencode(query)}" if query else url,
            "server.address": server.hostname or "",
            "server.port": server.port or 443,
        }
        with self._tracer.start_as_current_span(method, kind=SpanKind.CLIENT, attributes=attributes) as span:
            propagate.inject(headers)
            yield OtlpSpan(span)

    def ids(self) -> Mapping[str, str]:
        """``trace_id`` and ``span_id`` of the present span; empty outside of any."""
        span = trace.get_current_span()
        if not span.is_recording():  # one that has ended may still be around what it started in the background
            return {}
        context = span.get_span_context()
        return {"trace_id": trace.format_trace_id(context.trace_id), "span_id": trace.format_span_id(context.span_id)}

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()
