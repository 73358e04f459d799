"""``/topics``: publishing, listening and asking for what was published, for programs beside the mesh; and what nodes
hand over to each other."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from isek.asking import CallContext
from isek.errors import CallError, IsekError
from isek.node.access import Gate
from isek.node.ask import failure
from isek.node.endpoint import JSON, Endpoint, while_connected
from isek.node.host import Host
from isek.node.topics import NodeTopics
from isek.protocol.topics import HISTORY_PATH, MESSAGES_PATH
from isek.registry import NodeRecord
from isek.topics.message import OUTSIDE
from isek.topics.subscription import Subscription
from isek.topics.topics import PATIENCE_SECONDS
from isek.topics.wire import (
    PRIORITIES,
    HandOver,
    HistoryRequest,
    Messages,
    PriorityName,
    Refused,
    WireMessage,
    read,
    written,
)

HEARTBEAT_SECONDS = 15.0
"""Between the signs of life of a stream that has nothing to say: less than what stands in between puts up with."""


def topic_routes(host: Host, topics: NodeTopics, gate: Gate, max_body_bytes: int) -> list[Route]:
    """All that has to do with topics."""
    given = (host, topics, gate, max_body_bytes)
    return [
        Route("/topics/{topic}", PublishEndpoint(*given), methods=["POST"]),
        Route("/topics/{topic}", HistoryEndpoint(*given), methods=["GET"]),
        Route("/topics/{topic}/messages", ListenEndpoint(*given), methods=["GET"]),
        Route(MESSAGES_PATH, HandOverEndpoint(*given), methods=["POST"]),
        Route(HISTORY_PATH, PastEndpoint(*given), methods=["POST"]),
    ]


class Publication(BaseModel):
    """What is to be published."""

    payload: Any
    priority: PriorityName = "Normal"


class Past(Messages):
    """What was published, as far as is known."""

    missing: list[str]
    """The nodes that did not answer."""


class _TopicEndpoint(Endpoint):
    def __init__(self, host: Host, topics: NodeTopics, gate: Gate, max_body_bytes: int) -> None:
        super().__init__(host, max_body_bytes)
        self._topics = topics
        self._gate = gate

    def _check_type(self, request: Request) -> None:
        if request.method == "POST":
            super()._check_type(request)

    def _failure(self, error: IsekError) -> Response:
        return failure(error)

    async def _caller(self, request: Request, *, counts: bool = False) -> CallContext:
        """Who may ask somebody here may publish and listen here as well.

        Raises:
            CallError: as :meth:`Gate.visible`. ``AgentInvalid``: all that should be here is broken.
        """
        visible = await self._gate.visible(request.headers, request.client, self._host.built)
        if not visible:
            return self._gate.context(request.headers)
        hosted = self._host.find(visible[0].name)
        if counts:
            return (await self._gate.admit(request.headers, request.client, hosted))[0]
        return await self._gate.known(request.headers, request.client, hosted)


class PublishEndpoint(_TopicEndpoint):
    """``POST /topics/{topic}``: ``{"payload", "priority"?}`` -> ``{"id", "listeners", "heard", "refused"}``, once all
    who listen have it in their line, or the caller's time is over; ``refused`` take nothing from the caller.
    """

    async def _respond(self, request: Request, receive: Receive) -> Response:
        context = await self._caller(request, counts=True)
        self._topics.check_joined()
        asked = read(Publication, await self._read(request))
        within = min(context.remaining_seconds(), PATIENCE_SECONDS)

        async def publish() -> dict[str, Any]:
            published = await self._topics.here.publish(
                request.path_params["topic"],
                asked.payload,
                sender=OUTSIDE + (context.outsider or "anybody"),
                priority=PRIORITIES[asked.priority],
                depth=context.depth,
                traceparent=context.traceparent,
                within=within,
            )
            await published.settled_within(within)
            return {
                "id": published.message_id,
                "listeners": published.listeners,
                "heard": published.heard,
                "refused": published.refused,
            }

        return Response(json.dumps(await while_connected(receive, publish())), media_type=JSON)


class HistoryEndpoint(_TopicEndpoint):
    """``GET /topics/{topic}?limit=``: the newest messages, the oldest of them first."""

    async def _respond(self, request: Request, receive: Receive) -> Response:
        await self._caller(request)
        self._topics.check_joined()
        limit = request.query_params.get("limit", "100")
        if not re.fullmatch("[1-9][0-9]{0,2}|1000", limit):
            raise CallError("InvalidRequest", f"limit must be 1 to 1000, not {limit[:20]!r}", status=400)
        messages, missing = await self._topics.history(request.path_params["topic"], int(limit))
        return Response(written(Past(messages=[*map(WireMessage.of, messages)], missing=missing)), media_type=JSON)


class ListenEndpoint(_TopicEndpoint):
    """``GET /topics/{topic}/messages``: each message as a server-sent event, from now on, until the caller leaves."""

    async def _respond(self, request: Request, receive: Receive) -> Response:
        context = await self._caller(request)
        address = request.client.host if request.client else ""
        who = context.outsider or context.peer_id or address
        return _MessageStream(self._topics.here.listen([request.path_params["topic"]], outsider=who))


class _MessageStream(StreamingResponse):
    def __init__(self, subscription: Subscription) -> None:
        super().__init__(self._lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._subscription = subscription

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ClientDisconnect):
            try:
                await while_connected(receive, self.stream_response(send))
            finally:
                self._subscription.close()

    async def _lines(self) -> AsyncGenerator[str]:
        yield ": listening\n\n"
        while not self._subscription.closed:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    message = await self._subscription.line.get()
            except TimeoutError:
                yield ": nothing yet\n\n"
                continue
            if message is not None:
                yield f"id: {message.id}\ndata: {written(WireMessage.of(message)).decode()}\n\n"


class HandOverEndpoint(_TopicEndpoint):
    """``POST /isek/messages``: what was published on another node."""

    async def _respond(self, request: Request, receive: Receive) -> Response:
        nodes = self._gate.nodes(request.headers, self._host.hosted)
        refused = {}
        for handed in read(HandOver, await self._read(request)).messages:
            if nodes is not None and not handed.sender.startswith(OUTSIDE) and not _has(nodes, handed.sender):
                raise CallError("Forbidden", f"sender {handed.sender!r} is not on the node that says so", status=403)
            if failed := self._topics.here.accept(handed.message(), handed.to):
                refused[handed.id] = failed
        return Response(written(Refused(refused=refused)), media_type=JSON)


class PastEndpoint(_TopicEndpoint):
    """``POST /isek/history``: what was published on this node, for another."""

    async def _respond(self, request: Request, receive: Receive) -> Response:
        self._gate.nodes(request.headers, self._host.hosted)
        asked = read(HistoryRequest, await self._read(request))
        found = [WireMessage.of(each) for each in self._topics.here.history(asked.topic, asked.limit)]
        return Response(written(Messages(messages=found)), media_type=JSON)


def _has(nodes: tuple[NodeRecord, ...], sender: str) -> bool:
    name, _, namespace = sender.partition(".")
    return any(sender == node.node_id or (namespace == node.namespace and node.speaks_for(name)) for node in nodes)
