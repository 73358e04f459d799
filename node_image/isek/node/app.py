"""The node's HTTP API."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from isek import __version__
from isek.errors import CallError, IsekError
from isek.node.a2a_endpoint import rest_routes
from isek.node.access import Gate
from isek.node.ask import AskEndpoint, failure
from isek.node.bid_endpoint import BidEndpoint
from isek.node.cards import KEYS_PATH, Cards
from isek.node.chat import ChatEndpoint, Models
from isek.node.host import Host
from isek.node.local_names import LocalNames, is_loopback
from isek.node.mcp import MCPEndpoint
from isek.node.membership import Membership
from isek.node.metrics import Metrics
from isek.node.recent import Recent, Unfinished
from isek.node.responses import Kept, KeptResponses, ResponsesEndpoint
from isek.node.settings import NodeSettings
from isek.node.topic_endpoints import topic_routes
from isek.node.topics import NodeTopics
from isek.protocol.a2a import A2A
from isek.protocol.bids import BIDS_PATH
from isek.protocol.card_reader import CARD_PATH
from isek.unexpected import unexpected_error

PROMETHEUS_TEXT = "text/plain; version=0.0.4"

HINTS = {
    404: "agents are asked by POST /agents/<name>; GET /v1/models lists their names",
    405: "agents are asked by POST /agents/<name>, and what methods this path takes stands in the header Allow",
}
"""What to do who asks for what there is not."""


def create_app(
    settings: NodeSettings,
    host: Host,
    membership: Membership,
    metrics: Metrics,
    *,
    gate: Gate,
    cards: Cards,
    a2a: A2A,
    topics: NodeTopics,
) -> FastAPI:
    """The application of one node: what it hosts in ``host``, its place in the mesh in ``membership``. All who ask
    an agent pass ``gate``."""
    app = FastAPI(title="Isek node", version=__version__, openapi_url=None)  # without it there are no docs either
    if is_loopback(settings.host):
        app.add_middleware(LocalNames)
    ask = AskEndpoint(host, a2a, gate, settings.max_body_bytes)
    app.router.routes += [Route(path, ask, methods=["POST"]) for path in ("/", "/agents/{name}")]
    app.router.routes += rest_routes(host, a2a, gate, settings.max_body_bytes)
    unfinished, kept = Unfinished(), Recent[Kept]()
    chat, models = ChatEndpoint(host, gate, settings.max_body_bytes, unfinished), Models(host, gate)
    responses = ResponsesEndpoint(host, gate, settings.max_body_bytes, unfinished, kept)
    answered = KeptResponses(host, gate, kept)
    app.router.routes += [
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/responses", responses, methods=["POST"]),
        Route("/v1/responses/{id}", answered.one),
        Route("/v1/responses/{id}", answered.delete, methods=["DELETE"]),
        Route("/v1/models", models.all),
        Route("/v1/models/{model}", models.one),
        Route("/mcp", MCPEndpoint(host, gate, settings.max_body_bytes), methods=["POST"]),
        Route(BIDS_PATH, BidEndpoint(host, gate, settings.max_body_bytes), methods=["POST"]),
        *topic_routes(host, topics, gate, settings.max_body_bytes),
    ]

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether the process works."""
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        """Whether the node can be asked."""
        if membership.waiting_for is not None:
            if host.broken and not host.hosted:
                host.find(host.broken[0].name)  # raises what is wrong with it
            raise CallError("NotReady", f"the node waits for {membership.waiting_for}", status=503)
        return {"status": "ready"}

    @app.get("/metrics")
    async def prometheus() -> Response:
        """The node's metrics in Prometheus' text format."""
        return Response(metrics.render(), media_type=PROMETHEUS_TEXT)

    @app.get(CARD_PATH)
    async def default_card(request: Request) -> Response:
        """The card of the only agent."""
        return await cards.card(request, None)

    @app.get("/agents/{name}" + CARD_PATH)
    async def named_card(request: Request, name: str) -> Response:
        """The card of an agent."""
        return await cards.card(request, name)

    @app.get(KEYS_PATH)
    async def card_keys() -> Response:
        """The keys that the cards are signed with."""
        return cards.keys()

    @app.get("/isek/peers/{peer_id}")
    async def peer(request: Request, peer_id: str) -> dict[str, str]:
        """Whether a libp2p peer belongs to the mesh; for the sidecar."""
        if not gate.is_sidecar(request.headers):
            raise CallError("Unauthorized", "only the node's own sidecar may ask this", status=401)
        if not await membership.knows_peer(peer_id):
            raise CallError("PeerNotFound", f"no node of the mesh has the peer id {peer_id}", status=404)
        return {"peerId": peer_id}

    @app.get("/isek/cards/{address}")
    async def card_of(request: Request, address: str) -> Response:
        """The card of an agent anywhere in the mesh, verified; for whoever may ask somebody here."""
        await gate.visible(request.headers, request.client, host.built)
        return await cards.card_of(address)

    @app.get("/isek/nodes")
    async def nodes(request: Request) -> dict[str, Any]:
        """What this node knows of its mesh, for whoever may ask somebody here."""
        await gate.visible(request.headers, request.client, host.built)
        return {
            "meshId": settings.mesh_id,
            "self": settings.node_id,
            "nodes": [record.model_dump(mode="json", by_alias=True, exclude_none=True) for record in membership.nodes],
        }

    @app.delete("/agents/{name}")
    async def give_up(request: Request, name: str) -> Response:
        """End the run of a call that its caller, who knows its idempotency key, wants no answer to any more."""
        hosted = host.find(name)
        host.give_up(hosted.name, await gate.known(request.headers, request.client, hosted))
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @app.exception_handler(IsekError)
    async def known(_: Request, error: IsekError) -> Response:
        return failure(error)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        code = HTTPStatus(error.status_code).phrase.replace(" ", "")
        message = f"{request.method} {request.url.path}: {error.detail}"
        body = {"error": {"code": code, "message": message, "hint": HINTS.get(error.status_code, "")}}
        return JSONResponse(body, error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, _: Exception) -> Response:
        return failure(unexpected_error(request.url.path))

    return app
