"""A2A as HTTP+JSON: what follows ``/agents/{name}``, and at the root for the only agent."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive

from isek.asking import Answer, CallContext
from isek.errors import IsekError
from isek.models.base import Message
from isek.node.access import Gate
from isek.node.endpoint import JSON, Endpoint, check_type, parse_json, said_again, while_connected
from isek.node.host import Host
from isek.node.hosted import Hosted
from isek.protocol import headers
from isek.protocol.a2a import A2A
from isek.protocol.a2a_call import Call
from isek.trace import Path

A2A_JSON = "application/a2a+json"
OPERATIONS = (
    ("POST", "/message:send"),
    ("POST", "/message:stream"),
    ("GET", "/tasks"),
    ("POST", "/tasks/{id}:cancel"),
    ("GET", "/tasks/{id}:subscribe"),
    ("POST", "/tasks/{id}:subscribe"),
    ("GET", "/tasks/{id}"),
    ("POST", "/tasks/{id}/pushNotificationConfigs"),
    ("GET", "/tasks/{id}/pushNotificationConfigs"),
    ("GET", "/tasks/{id}/pushNotificationConfigs/{push_id}"),
    ("DELETE", "/tasks/{id}/pushNotificationConfigs/{push_id}"),
    ("GET", "/extendedAgentCard"),
)
"""Section 11.3 of the specification."""


def a2a_call(
    host: Host,
    hosted: Hosted,
    context: CallContext,
    path: Path,
    parameters: Mapping[str, str],
    *,
    base_url: str = "",
) -> Call:
    """What a request means to A2A; ``parameters`` are its service parameters, by their names in lower case."""

    async def ask(message: Message, asked_in: CallContext) -> Answer:
        return await host.answer(hosted.name, message, asked_in, path=path)

    def give_up() -> None:
        host.give_up(hosted.name, context)

    of_replica = context.caller == hosted.address  # it speaks for whoever asked it
    on_behalf_of = parameters.get(headers.ON_BEHALF_OF.lower()) if of_replica else None
    return Call(
        hosted.name,
        hosted.runner.name,
        ask,
        give_up,
        context,
        parameters,
        hosted.push_hosts,
        base_url if path == "http" else "",
        on_behalf_of=None if on_behalf_of is None else headers.decoded(on_behalf_of),
    )


def service_parameters(request: Request) -> dict[str, str]:
    """The headers; A2A's own may stand in the query as well."""
    in_query = {name.lower(): value for name, value in request.query_params.items() if name.lower().startswith("a2a-")}
    return in_query | dict(request.headers)


def rest_routes(host: Host, a2a: A2A, gate: Gate, max_body_bytes: int) -> list[Route]:
    """Where agents are asked by HTTP+JSON."""
    return [
        Route(f"{at}{operation[1]}", RestEndpoint(host, a2a, gate, max_body_bytes, operation), methods=[operation[0]])
        for at in ("/agents/{name}", "")
        for operation in OPERATIONS
    ]


class RestEndpoint(Endpoint):
    """One operation: its method, and its path below the agent."""

    def __init__(self, host: Host, a2a: A2A, gate: Gate, max_body_bytes: int, operation: tuple[str, str]) -> None:
        super().__init__(host, max_body_bytes)
        self._a2a = a2a
        self._gate = gate
        self._operation = operation

    def _check_type(self, request: Request) -> None:
        if self._operation[0] == "POST" and request.headers.get("content-length") != "0":
            check_type(request, JSON, A2A_JSON)

    async def _respond(self, request: Request, receive: Receive) -> Response:
        hosted = self._host.find(request.path_params.get("name"))
        context, path = await self._gate.admit(request.headers, request.client, hosted)
        body = await self._read(request)
        if body:
            parse_json(body)  # else numbers get in that cannot be told again
        call = a2a_call(self._host, hosted, context, path, service_parameters(request), base_url=str(request.base_url))
        again = Request(request.scope, said_again(body, receive))
        server = await self._a2a.server()
        response = await while_connected(receive, server.rest(self._operation, again, call))
        return response if call.refused is None else self._failure(call.refused)

    def _failure(self, error: IsekError) -> Response:
        """As section 11.6 of the specification has it."""
        return JSONResponse(
            {
                "error": {
                    "code": error.status,
                    "status": STATUSES.get(error.status, "INTERNAL" if error.status >= 500 else "INVALID_ARGUMENT"),
                    "message": error.message,
                    "details": [
                        {
                            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                            "reason": error.code,
                            "domain": "isek.io",
                            "metadata": {"hint": error.hint},
                        }
                    ],
                }
            },
            error.status,
            headers.of_error(error),
        )


STATUSES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""The names that google.rpc.Code has for ours."""
