"""The node's gRPC port: A2A, the agent by its ``tenant``."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from starlette.datastructures import Address, Headers

from isek.errors import CallError, IsekError
from isek.node.a2a_endpoint import a2a_call
from isek.node.access import Gate
from isek.node.host import Host
from isek.node.listening import PortError
from isek.node.settings import PREFIX, NodeSettings
from isek.node.tls import ServerCertificate
from isek.protocol.a2a import A2A
from isek.protocol.a2a_call import Call
from isek.unexpected import unexpected_error

SERVICE = "/lf.a2a.v1.A2AService/"
STREAMED = {"SendStreamingMessage", "SubscribeToTask"}
STREAMS_OF_A_CONNECTION = 256
CALLS_AT_ONCE = 2_048
"""Of all connections, streams that wait for a task included; what comes beside them is told to come again."""
LONGEST_CONNECTION_MS = 5 * 60 * 1000
"""Then clients open another one, and see replicas that came after it: a Service spreads connections, not calls."""
EVERYWHERE = "[::]"
Said = AsyncIterator[bytes]
"""The messages of a call; those of A2A have one."""


class GrpcServer:
    """Answers on the gRPC port, from ``start`` to ``stop``.

    Args:
        host: what is asked.
        a2a: the way to A2A, whose SDK is imported with the first call.
        gate: all pass it.
        settings: of the node; it has a gRPC port.
        certificate: what it shows to callers, who come over TLS then; None: they come in plain text.
    """

    def __init__(
        self, host: Host, a2a: A2A, gate: Gate, settings: NodeSettings, certificate: ServerCertificate | None = None
    ) -> None:
        self._host = host
        self._a2a = a2a
        self._settings = settings
        self._gate = gate
        self._credentials = None if certificate is None else _credentials(certificate)
        self._a2a_grpc: ModuleType | None = None
        self._handlers: dict[str, grpc.RpcMethodHandler] = {}
        self._closing: asyncio.Task[None] | None = None
        self.port = 0
        """Where it listens."""
        self._server = grpc.aio.server(
            maximum_concurrent_rpcs=CALLS_AT_ONCE,
            options=[
                ("grpc.max_receive_message_length", settings.max_body_bytes),
                ("grpc.max_concurrent_streams", STREAMS_OF_A_CONNECTION),
                ("grpc.max_connection_age_ms", LONGEST_CONNECTION_MS),
                ("grpc.so_reuseport", 0),
            ],
        )
        self._server.add_generic_rpc_handlers((_Methods(self._answer, self._stream),))

    async def start(self) -> None:
        """Listen.

        Raises:
            PortError: nobody can, there.
        """
        host, port = self._settings.host or EVERYWHERE, self._settings.grpc_port
        address = f"[{host}]" if ":" in host and not host.startswith("[") else host
        try:
            self.port = self._listen(f"{address}:{port}")
        except RuntimeError:
            raise PortError(
                f"cannot listen on {host}, port {port}, for gRPC; set {PREFIX}GRPC_PORT to one that is free"
            ) from None
        await self._server.start()

    def close(self, within: float) -> None:
        """Send clients elsewhere; what was begun has so many seconds still."""
        self._closing = asyncio.create_task(self._server.stop(within))

    async def stop(self, within: float) -> None:
        """Return once nothing runs any more."""
        await self._server.stop(within)
        if self._closing is not None:
            await self._closing

    def _listen(self, address: str) -> int:
        port: int
        if self._credentials is None:
            port = self._server.add_insecure_port(address)
        else:
            port = self._server.add_secure_port(address, self._credentials)
        return port

    async def _answer(self, method: str, said: Said, context: grpc.aio.ServicerContext) -> bytes:
        async with self._failures_told(method, context):
            handler, request = await self._admitted(method, said, context)
            answer = handler.response_serializer(await handler.unary_unary(request, context))
        encoded: bytes = answer
        return encoded

    async def _stream(self, method: str, said: Said, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        async with self._failures_told(method, context):
            handler, request = await self._admitted(method, said, context)
            async for update in handler.unary_stream(request, context):
                yield handler.response_serializer(update)

    async def _admitted(
        self, method: str, said: Said, context: grpc.aio.ServicerContext
    ) -> tuple[grpc.RpcMethodHandler, Any]:
        """What answers a request, and the request itself, whose caller may ask that.

        Raises:
            IsekError: it may not, or there is no such agent.
        """
        if self._a2a_grpc is None:
            server = await self._a2a.server()
            self._a2a_grpc = await asyncio.to_thread(import_module, "isek.protocol.a2a_grpc")
            self._handlers = self._a2a_grpc.method_handlers(server.handler)
        if method not in self._handlers:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"A2A has no method {method}")
        handler = self._handlers[method]
        headers, client = Headers(_metadata(context)), _client(context.peer())
        await self._gate.let_in(
            headers, client, self._host.hosted
        )  # before the message is taken in, which may be large
        message = await anext(said, None)
        if message is None:
            raise DecodeError
        request = handler.request_deserializer(message)
        if not self._a2a_grpc.all_finite(request):
            raise CallError("InvalidRequest", "a number in the message is none that JSON knows", status=400)
        self._a2a_grpc.CURRENT.set(await self._call(context, request.tenant))
        return handler, request

    async def _call(self, context: grpc.aio.ServicerContext, agent: str) -> Call:
        """What a request means; its metadata are what headers are to HTTP, and its deadline counts as well."""
        metadata = _metadata(context)
        hosted = self._host.find(agent or None)
        called_in, path = await self._gate.admit(Headers(metadata), _client(context.peer()), hosted)
        left = context.time_remaining()
        if left is not None:
            called_in = replace(called_in, deadline=min(called_in.deadline, time.monotonic() + left))
        return a2a_call(self._host, hosted, called_in, path, metadata)

    @asynccontextmanager
    async def _failures_told(self, method: str, context: grpc.aio.ServicerContext) -> AsyncIterator[None]:
        """What nobody has foreseen goes to the log, and to the caller as an error without its words."""
        try:
            yield
        except grpc.aio.AbortError:
            raise
        except DecodeError:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the request is no message of {method}")
        except IsekError as error:
            assert self._a2a_grpc is not None  # noqa: S101  (nothing of ours is raised before)
            await self._a2a_grpc.refuse(error, context)
        except Exception:
            await context.abort(grpc.StatusCode.INTERNAL, str(unexpected_error(method)))


def _credentials(certificate: ServerCertificate) -> grpc.ServerCredentials:
    """What ``certificate`` shows, whatever that is when a connection begins."""
    shown = certificate.pair

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        """Called by gRPC before each handshake, on a thread of its own."""
        nonlocal shown
        if shown is (latest := certificate.pair):
            return None
        shown = latest
        return grpc.ssl_server_certificate_configuration([shown])

    return grpc.dynamic_ssl_server_credentials(grpc.ssl_server_certificate_configuration([shown]), renewed)


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]
    """All methods of the service, without a look at their messages: to gRPC all are streams, so that the one message of
    a call is taken in when it is asked for, and not before it is known who calls."""

    def __init__(self, answer: Any, stream: Any) -> None:
        self._answer = answer
        self._stream = stream

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """What answers a call; None: it is of another service."""
        if not details.method.startswith(SERVICE):
            return None
        method = details.method.removeprefix(SERVICE)
        if method in STREAMED:

            async def stream(said: Said, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
                async for update in self._stream(method, said, context):
                    yield update

            return grpc.stream_stream_rpc_method_handler(stream)

        async def answer(said: Said, context: grpc.aio.ServicerContext) -> bytes:
            return await self._answer(method, said, context)  # type: ignore[no-any-return]

        return grpc.stream_unary_rpc_method_handler(answer)


def _metadata(context: grpc.aio.ServicerContext) -> dict[str, str]:
    return {name: value for name, value in context.invocation_metadata() or () if isinstance(value, str)}


def _client(peer: str) -> Address | None:
    """The other end of a connection, of gRPC's ``ipv4:10.0.0.7:4711`` or ``ipv6:%5Bfd00::7%5D:4711``."""
    kind, _, address = unquote(peer).partition(":")
    host, _, port = address.rpartition(":")
    return Address(host.strip("[]"), int(port)) if kind in {"ipv4", "ipv6"} and port.isdecimal() else None
