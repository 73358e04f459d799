"""A2A over JSON-RPC, versions 1.0 and 0.3, and as HTTP+JSON, version 1.0, by the official SDK."""

from collections.abc import Awaitable, Callable
from typing import Any

from a2a.extensions.common import HTTP_EXTENSION_HEADER
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.response_helpers import build_error_response
from a2a.server.routes.common import ServerCallContextBuilder
from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
from a2a.server.routes.rest_routes import create_rest_routes
from a2a.utils.constants import PROTOCOL_VERSION_0_3, PROTOCOL_VERSION_1_0, VERSION_HEADER
from a2a.utils.errors import A2AError, MethodNotFoundError, VersionNotSupportedError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from isek.node.settings import NodeSettings
from isek.protocol import headers
from isek.protocol.a2a_call import Call
from isek.protocol.a2a_context import CALL, server_context, wanted_extensions
from isek.protocol.a2a_handler import ExtendedCard, TaskHandler
from isek.protocol.a2a_replicas import Replicas
from isek.protocol.p2p import Sidecar
from isek.registry import Registry

Operation = Callable[[Request], Awaitable[Any]]


def make_server(
    registry: Registry, settings: NodeSettings, sidecar: Sidecar | None, extended_card: ExtendedCard | None = None
) -> "A2AServer":
    """A server for the agents of a node; see :class:`isek.protocol.a2a_replicas.Replicas`."""
    replicas = Replicas(registry, settings, sidecar)
    return A2AServer(TaskHandler(settings.node_id, replicas, extended_card=extended_card))


class A2AServer:
    """Answers requests.

    Args:
        handler: does what they ask for.
    """

    def __init__(self, handler: TaskHandler) -> None:
        self.handler = handler
        self._json_rpc = JsonRpcDispatcher(handler, _ContextBuilder(), enable_v0_3_compat=True)
        self._operations = _operations(handler)

    async def json_rpc(self, request: Request, call: Call, content: object) -> Response:
        """The answer to ``request``, whatever comes of it: errors are JSON-RPC errors.

        A node that cannot take the request now says so in the HTTP status as well, for whoever stands in between.

        Args:
            request: what it is about.
            call: whom it asks.
            content: what its body says.
        """
        if isinstance(content, dict) and (mistaken := _of_other_version(call, content.get("method"))) is not None:
            return JSONResponse(build_error_response(_id_of(content), mistaken))
        response = await self._respond(self._json_rpc.handle_requests, request, call)
        if call.refused is not None and (retry_after := headers.retry_after(call.refused.status)):
            response.status_code = call.refused.status
            response.headers.update(retry_after)
        return response

    async def rest(self, operation: tuple[str, str], request: Request, call: Call) -> Response:
        """The answer to a request by HTTP+JSON, whatever comes of it.

        Args:
            operation: HTTP's method, and the path below the agent, as the specification has it: ``/tasks/{id}``.
            request: its path parameters are set.
            call: whom it asks.
        """
        return await self._respond(self._operations[operation], request, call)

    async def _respond(self, operation: Operation, request: Request, call: Call) -> Response:
        request.scope[CALL] = call
        response: Response = await operation(request)
        if wanted := wanted_extensions(call):
            response.headers[HTTP_EXTENSION_HEADER] = ",".join(sorted(wanted))
        return response


def _of_other_version(call: Call, method: object) -> A2AError | None:
    """What to tell who takes the method of one version in a request of the other."""
    named = call.parameters.get(VERSION_HEADER.lower()) or ""
    spoken = ".".join((named or PROTOCOL_VERSION_0_3).split(".")[:2])
    if not isinstance(method, str):
        return None
    if spoken == PROTOCOL_VERSION_0_3 and method in JsonRpcDispatcher.METHOD_TO_MODEL:
        return VersionNotSupportedError(
            f"A2A {PROTOCOL_VERSION_0_3} has no {method}, and is what a request without the header {VERSION_HEADER} "
            f"speaks; send {VERSION_HEADER}: {PROTOCOL_VERSION_1_0}"
        )
    if spoken == PROTOCOL_VERSION_1_0 and "/" in method:  # as all of 0.3 have, and none of 1.0
        return MethodNotFoundError(
            f"A2A {named} has no {method}; take the methods of {PROTOCOL_VERSION_1_0} (SendMessage, GetTask), "
            f"or speak {PROTOCOL_VERSION_0_3}: leave out the header {VERSION_HEADER}"
        )
    return None


def _id_of(content: dict[str, Any]) -> str | int | None:
    said = content.get("id")
    return said if isinstance(said, str | int) and not isinstance(said, bool) else None


def _operations(handler: TaskHandler) -> dict[tuple[str, str], Operation]:
    """Section 11.3 of the specification."""
    routes = create_rest_routes(handler, _RestContextBuilder())
    return {
        (method, route.path): route.endpoint
        for route in routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }


class _ContextBuilder(ServerCallContextBuilder):
    def build(self, request: Request) -> ServerCallContext:
        call: Call = request.scope[CALL]
        return server_context(call)


class _RestContextBuilder(_ContextBuilder):
    def build(self, request: Request) -> ServerCallContext:
        context = super().build(request)
        if context.state["headers"][VERSION_HEADER] != PROTOCOL_VERSION_1_0:
            raise VersionNotSupportedError(
                f"A2A {PROTOCOL_VERSION_0_3} is not spoken as HTTP+JSON here, and is what a request without the header "
                f"{VERSION_HEADER} speaks; send {VERSION_HEADER}: {PROTOCOL_VERSION_1_0}"
            )
        return context
