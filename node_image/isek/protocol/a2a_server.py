"""A2A over JSON-RPC, versions 1.0 and 0.3, and as HTTP+JSON, version 1.0, by the official SDK."""

from collections.abc import Awaitable, Callable
from typing import Any

from a2a.extensions.common import HTTP_EXTENSION_HEADER
from a2a.server.context import ServerCallContext
from a2a.server.routes.common import ServerCallContextBuilder
from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
from a2a.server.routes.rest_routes import create_rest_routes
from starlette.requests import Request
from starlette.responses import Response
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

    async def json_rpc(self, request: Request, call: Call) -> Response:
        """The answer to ``request``, whatever comes of it: errors are JSON-RPC errors.

        A node that cannot take the request now says so in the HTTP status as well, for whoever stands in between.
        """
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


def _operations(handler: TaskHandler) -> dict[tuple[str, str], Operation]:
    """Section 11.3 of the specification."""
    routes = create_rest_routes(handler, _ContextBuilder())
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
