"""A2A over gRPC (https://a2a-protocol.org/latest/specification/#10-grpc-protocol-binding), by the official SDK."""

import math
from contextvars import ContextVar
from typing import Any

import grpc
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.grpc_handler import GrpcHandler
from a2a.server.request_handlers.request_handler import RequestHandler
from a2a.types.a2a_pb2_grpc import add_A2AServiceServicer_to_server
from a2a.utils.errors import A2AError
from a2a.utils.grpc_status import status_to_grpc
from google.protobuf.any_pb2 import Any as Detail
from google.protobuf.message import Message as Proto
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from isek.errors import IsekError
from isek.protocol.a2a_call import Call
from isek.protocol.a2a_context import server_context

CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""By the HTTP status of our errors."""

CURRENT: ContextVar[Call] = ContextVar("call")
"""What is to be answered: set before a method is called."""


def method_handlers(handler: RequestHandler) -> dict[str, grpc.RpcMethodHandler]:
    """What answers each method, by its name."""
    collected = _Collected()
    add_A2AServiceServicer_to_server(_Servicer(handler), collected)  # type: ignore[no-untyped-call]
    return collected.handlers


class _Collected:
    """In the place of a server: gets the handlers that the generated code makes."""

    def __init__(self) -> None:
        self.handlers: dict[str, grpc.RpcMethodHandler] = {}

    def add_generic_rpc_handlers(self, handlers: tuple[Any, ...]) -> None:
        """Nothing: these are the same again, for servers of before."""

    def add_registered_method_handlers(self, _service: str, handlers: dict[str, grpc.RpcMethodHandler]) -> None:
        """Keep them."""
        self.handlers = handlers


def all_finite(message: Proto) -> bool:
    """Whether each number in it has a form in JSON, in which tasks are told to others."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_DOUBLE:
            if not math.isfinite(value):
                return False
        elif field.message_type is not None:
            of_map = field.message_type.GetOptions().map_entry
            several = value.values() if of_map else value if field.is_repeated else (value,)
            if not all(all_finite(each) for each in several if isinstance(each, Proto)):
                return False
    return True


async def refuse(error: IsekError, context: grpc.aio.ServicerContext) -> None:
    """End a call with an error of ours, in gRPC's codes."""
    code = CODES.get(error.status, grpc.StatusCode.INTERNAL)
    detail = Detail()
    detail.Pack(ErrorInfo(reason=error.code, domain="isek.io", metadata={"hint": error.hint}))
    status = status_to_grpc(Status(code=code.value[0], message=str(error), details=[detail]))
    await context.abort(status.code, status.details, status.trailing_metadata)


class _Servicer(GrpcHandler):
    """Knows our calls, and our errors."""

    def _build_call_context(self, context: grpc.aio.ServicerContext, request: Any) -> ServerCallContext:
        return server_context(CURRENT.get())

    async def abort_context(self, error: A2AError, context: grpc.aio.ServicerContext) -> None:
        """End the call with what ``error`` is to gRPC."""
        refused = CURRENT.get().refused
        if refused is None:
            await super().abort_context(error, context)
        else:
            await refuse(refused, context)
