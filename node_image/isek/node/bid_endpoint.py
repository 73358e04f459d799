"""``POST /isek/bids``: what agents of this node say about a task that another node offers."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive

from isek.errors import IsekError
from isek.node.access import Gate
from isek.node.ask import failure
from isek.node.endpoint import JSON, Endpoint
from isek.node.host import Host
from isek.protocol.bids import BidRequest, Bids
from isek.topics.wire import read, written


class BidEndpoint(Endpoint):
    """For nodes of the mesh."""

    def __init__(self, host: Host, gate: Gate, max_body_bytes: int) -> None:
        super().__init__(host, max_body_bytes)
        self._gate = gate

    async def _respond(self, request: Request, receive: Receive) -> Response:
        self._gate.nodes(request.headers, self._host.hosted)
        asked = read(BidRequest, await self._read(request))
        return Response(written(Bids(bids=self._host.bids(asked.capability))), media_type=JSON)

    def _failure(self, error: IsekError) -> Response:
        return failure(error)
