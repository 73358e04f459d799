"""Another node of the mesh: a real HTTP server that answers what the test tells it to."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web
from isek.registry import AgentRecord, NodeRecord
from isek.trace import TRACE_KEY
from multidict import CIMultiDictProxy

NAMESPACE = "newsroom"


@dataclass(frozen=True)
class Asked:
    """A request that came in."""

    agent: str
    headers: CIMultiDictProxy[str]
    body: dict[str, Any]
    request: web.Request


Answering = Callable[[Asked], Awaitable[web.StreamResponse]]


@dataclass
class FarNode:
    """Hosts one agent; ``answering`` may be replaced at any time."""

    name: str
    agent: str = "writer"
    load: int = 0
    known_peers: set[str] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)
    answering: Answering | None = None
    port: int = 0

    async def start(self) -> None:
        app = web.Application()
        app.add_routes([web.post("/agents/{name}", self._ask), web.get("/isek/peers/{peer_id}", self._peer)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def node_id(self) -> str:
        return f"{self.name}.{NAMESPACE}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def record(self, *, peer_id: str | None = None, p2p_address: str | None = None) -> NodeRecord:
        return NodeRecord(
            node_id=self.node_id,
            namespace=NAMESPACE,
            host="127.0.0.1",
            port=self.port,
            peer_id=peer_id,
            p2p_address=p2p_address,
            agents=(AgentRecord(name=self.agent),),
        )

    async def received(self, asked: Asked) -> web.Response:
        """What a node answers when all is well."""
        trace = {"agent": f"{asked.agent}.{NAMESPACE}", "node": self.node_id, "startedAt": "2026-01-01T00:00:00Z"}
        metadata = {TRACE_KEY: {**trace, "durationMs": 1.5, "children": []}}
        response = f"{self.name} says {asked.body['message']}"
        return web.json_response(
            {"status": "received", "response": response, "metadata": metadata}, headers={"Isek-Load": str(self.load)}
        )

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(request.match_info["name"], request.headers.copy(), await request.json(), request)  # type: ignore[arg-type]
        self.asked.append(asked)
        return await (self.answering or self.received)(asked)

    async def _peer(self, request: web.Request) -> web.Response:
        known = "Isek-Token" in request.headers and request.match_info["peer_id"] in self.known_peers
        return web.Response(status=200 if known else 404)


def failing(code: str, status: int, **further: Any) -> Answering:
    """Answers with an error."""

    async def answer(_: Asked) -> web.Response:
        error = {"code": code, "message": f"{code} it is", "hint": "do something"}
        return web.json_response({"status": "failed", "error": error, **further}, status=status)

    return answer


async def never(_: Asked) -> web.Response:
    """Does not answer."""
    await asyncio.Event().wait()
    raise AssertionError("nothing sets the event")
