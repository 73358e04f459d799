"""``POST /`` and ``POST /agents/{name}``: A2A and the plain form on one path."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive

from isek.asking import Answer, CallContext
from isek.errors import CallError, IsekError
from isek.node.a2a_endpoint import a2a_call, service_parameters
from isek.node.access import Gate
from isek.node.endpoint import JSON, Endpoint, parse_json, said_again, while_connected
from isek.node.host import Host
from isek.node.line_stream import LineStream, after
from isek.node.plain import PlainAnswer, PlainFailure, read_plain_request
from isek.node.step_stream import lines_of, wants_steps
from isek.protocol import headers
from isek.protocol.a2a import A2A
from isek.protocol.steps import STEPS

A2A_VERSION = "A2A-Version"
JSON_PARSE_ERROR = -32700
"""Of JSON-RPC, for what cannot be told from the plain form but by the header."""


class AskEndpoint(Endpoint):
    """Where agents are asked."""

    def __init__(self, host: Host, a2a: A2A, gate: Gate, max_body_bytes: int) -> None:
        super().__init__(host, max_body_bytes)
        self._a2a = a2a
        self._gate = gate

    async def _respond(self, request: Request, receive: Receive) -> Response:
        hosted = self._host.find(request.path_params.get("name"))
        context, path = await self._gate.admit(request.headers, request.client, hosted)
        body = await self._read(request)
        try:
            content = parse_json(body)
        except CallError as error:
            if A2A_VERSION not in request.headers:
                raise
            said = {"code": JSON_PARSE_ERROR, "message": error.message}
            return JSONResponse({"jsonrpc": "2.0", "id": None, "error": said})
        if isinstance(content, list) or (isinstance(content, dict) and "jsonrpc" in content):
            call = a2a_call(
                self._host, hosted, context, path, service_parameters(request), base_url=str(request.base_url)
            )
            again = Request(request.scope, said_again(body, receive))
            return await while_connected(receive, (await self._a2a.server()).json_rpc(again, call, content))
        asked = read_plain_request(content)
        asked_in = replace(context, session_id=asked.session_id, user_id=asked.user_id)

        async def answer(observed: CallContext) -> Answer:
            return await self._host.answer(hosted.name, asked.message, observed, path=path)

        if wants_steps(request):
            lines = lines_of(answer, asked_in)
            first = await while_connected(receive, anext(lines))  # raises what keeps the run from beginning
            return LineStream(after(first, lines), lines, STEPS, beat="\n")
        answered = PlainAnswer.of(await while_connected(receive, answer(asked_in)))
        return Response(answered.model_dump_json(by_alias=True, exclude_none=True), media_type=JSON)

    def _failure(self, error: IsekError) -> Response:
        return failure(error)


def failure(error: IsekError) -> Response:
    """The error in the one shape that errors have."""
    return Response(
        PlainFailure.of(error).model_dump_json(by_alias=True, exclude_none=True),
        status_code=error.status,
        media_type=JSON,
        headers=headers.of_error(error),
    )
