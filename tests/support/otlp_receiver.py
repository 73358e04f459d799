"""A receiver of OpenTelemetry's traces by OTLP over HTTP, as a collector has it."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SPAN_KIND_CLIENT = 3
ERROR = 2


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it came over the wire."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    failed: bool
    attributes: dict[str, Any]
    service: str


@dataclass
class OtlpReceiver:
    """What was received so far."""

    endpoint: str = ""
    spans: list[ReceivedSpan] = field(default_factory=list)

    def named(self, name: str, **attributes: Any) -> list[ReceivedSpan]:
        """Return the spans of that name with those attributes, whose dots are written as underscores."""
        wanted = {key.replace("_", "."): value for key, value in attributes.items()}
        return [span for span in self.spans if span.name == name and wanted.items() <= span.attributes.items()]

    def inside(self, outer: ReceivedSpan) -> list[ReceivedSpan]:
        """Return the spans whose parent is that one."""
        return [span for span in self.spans if span.parent_id == outer.span_id]

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        message = ExportTraceServiceRequest.FromString(body)
        for group in message.resource_spans:
            resource = _values(group.resource.attributes)
            for scope in group.scope_spans:
                self.spans += (_received(span, resource["service.name"]) for span in scope.spans)
        return web.Response(body=b"", content_type="application/x-protobuf")


def _received(span: Any, service: str) -> ReceivedSpan:
    return ReceivedSpan(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        kind=span.kind,
        failed=span.status.code == ERROR,
        attributes=_values(span.attributes),
        service=service,
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@asynccontextmanager
async def otlp_receiver() -> AsyncIterator[OtlpReceiver]:
    """A receiver on a free port of this machine."""
    receiver, application = OtlpReceiver(), web.Application()
    application.router.add_post("/v1/traces", receiver.take)
    async with TestServer(application) as server:
        receiver.endpoint = str(server.make_url("")).rstrip("/")
        yield receiver
