"""The center registry: a ``MemoryStore`` served over HTTP, for development without etcd.

========================================= ===============================================================
``POST /leases?ttl_seconds=15``           ``{"lease": 1}``
``POST /leases/{lease}/keep-alive``       204, or 404 when it has run out
``DELETE /leases/{lease}``                204
``PUT /keys?key=…&lease=…``               204, or 404 when the lease has run out; the body is the value
``POST /keys?key=…&lease=…``              the same where there is no such key; 409 when there is, with another value
``GET /keys?prefix=…``                    ``{"clusterId": 1, "revision": 2, "items": [[key, value]]}``
``GET /watch?prefix=…&after=2``           the same for each change, one JSON a line, first an empty one;
                                          a deleted key has the value null; 410 when the history is lost
========================================= ===============================================================
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import NoReturn

from aiohttp import web

from isek.registry.memory_store import MemoryStore
from isek.registry.record import MAX_RECORD_BYTES
from isek.registry.store import HistoryLostError, LeaseNotFoundError, Position

HEARTBEAT_SECONDS = 3.0
"""An idle watch sends an empty line so often: silence means that the other side is gone."""
_STORE = web.AppKey("store", MemoryStore)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def serve(host: str, port: int, *, started: Callable[[int], None] | None = None) -> None:
    """Serve a center registry until cancelled.

    Args:
        host: address to listen on.
        port: port to listen on; 0: any free one.
        started: told the port once it listens.

    Raises:
        OSError: the port is in use.
    """
    runner = web.AppRunner(center_app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        if started is not None:
            started(runner.addresses[0][1])
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def center_app(store: MemoryStore | None = None) -> web.Application:
    """The HTTP API over a store."""
    app = web.Application(middlewares=[_errors], client_max_size=2 * MAX_RECORD_BYTES)
    app[_STORE] = store or MemoryStore()
    app.add_routes(
        [
            web.post("/leases", _grant),
            web.post("/leases/{lease}/keep-alive", _keep_alive),
            web.delete("/leases/{lease}", _revoke),
            web.put("/keys", _put),
            web.post("/keys", _create),
            web.get("/keys", _list),
            web.get("/watch", _watch),
        ]
    )
    return app


@web.middleware
async def _errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except LeaseNotFoundError as error:
        return _error(404, "LeaseNotFound", str(error), "get a new lease")
    except HistoryLostError as error:
        return _error(410, "HistoryLost", str(error), "list again")
    except (KeyError, ValueError) as error:
        return _error(400, "InvalidRequest", f"a parameter is missing or wrong: {error}", "see isek.registry.center")


def _error(status: int, code: str, message: str, hint: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message, "hint": hint}}, status=status)


async def _grant(request: web.Request) -> web.Response:
    lease = await request.app[_STORE].grant(int(request.query["ttl_seconds"]))
    return web.json_response({"lease": lease})


async def _keep_alive(request: web.Request) -> web.Response:
    await request.app[_STORE].keep_alive(int(request.match_info["lease"]))
    return web.Response(status=204)


async def _revoke(request: web.Request) -> web.Response:
    await request.app[_STORE].revoke(int(request.match_info["lease"]))
    return web.Response(status=204)


async def _put(request: web.Request) -> web.Response:
    value = await request.read()
    value.decode()  # values travel as JSON strings
    await request.app[_STORE].put(request.query["key"], value, int(request.query["lease"]))
    return web.Response(status=204)


async def _create(request: web.Request) -> web.Response:
    value = await request.read()
    value.decode()
    created = await request.app[_STORE].create(request.query["key"], value, int(request.query["lease"]))
    return web.Response(status=204 if created else 409)


async def _list(request: web.Request) -> web.Response:
    listing = await request.app[_STORE].list(request.query["prefix"])
    return web.Response(body=_line(listing.position, listing.items.items()), content_type="application/json")


async def _watch(request: web.Request) -> NoReturn:
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    async with aclosing(request.app[_STORE].watch(request.query["prefix"], int(request.query["after"]))) as changes:
        begun = await anext(changes)
        await response.prepare(request)
        await response.write(_line(begun.position, begun.items))
        following = asyncio.ensure_future(anext(changes))
        try:
            while True:
                done, _ = await asyncio.wait({following}, timeout=HEARTBEAT_SECONDS)
                if not done:
                    await response.write(b"\n")
                    continue
                change = following.result()
                await response.write(_line(change.position, change.items, missed=change.missed))
                following = asyncio.ensure_future(anext(changes))
        finally:
            following.cancel()
            await asyncio.wait({following})


def _line(position: Position, items: Iterable[tuple[str, bytes | None]], *, missed: bool = False) -> bytes:
    shown = [[key, None if value is None else value.decode()] for key, value in items]
    line = {"clusterId": position.cluster_id, "revision": position.revision, "items": shown, "missed": missed}
    return json.dumps(line).encode() + b"\n"
