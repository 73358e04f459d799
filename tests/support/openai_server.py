"""A server that speaks the OpenAI API and follows a script: the other side of the real client.

In tests: ``async with OpenAIServer({"model": [turn, ...]}) as server``. By itself:
``python -m tests.support.openai_server [--port 8000] [--key KEY] [--script FILE]``, the file a YAML mapping like that.

A turn answers one request to its model, whatever is asked; the last repeats. It holds one of

- ``text``: the answer; ``{input}`` stands for the latest user message, ``{heard}`` for all that the user has said
- ``toolCalls``: a list of ``{name, arguments}``; arguments that are text are sent as they are
- ``status``: an HTTP error, with ``retryAfter`` in seconds, ``errorCode`` and ``errorMessage`` if there are such
- ``body``: any text, sent as the JSON of the answer or, beside a ``status``, of the error
- ``refusal``: why the model does not answer
- ``failure``: the code of a failure that an answer with status 200 tells of; by the Responses API only

Beside it ``cutOff: true``, if the model may not say more, and ``reasoning``: what it thought, encrypted; by the
Responses API only.

A request with ``stream`` gets it word by word; with ``breaksOff: true`` beside it, only the first half of it comes;
with ``heldHalfway: true`` the second half waits for ``release``.
And beside it ``delaySeconds``, if the answer is to take its time, or ``held: true``, if it is to wait for the test to
set ``release``, or ``drips: true``, if blanks come for a minute before it. Models that are not in the script answer
404.
"""

import argparse
import asyncio
import functools
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from aiohttp import web

from tests.support.openai_forms import chat_answer, responses_answer

Turn = Mapping[str, Any]
Form = Callable[[dict[str, Any], Turn], tuple[dict[str, Any], Iterable[dict[str, Any]]]]
"""Makes the answer to a request: as a whole, and as the events of a stream."""
DEFAULT_SCRIPT: dict[str, list[Turn]] = {"echo": [{"text": "{input}"}], "recall": [{"text": "{heard}"}]}


class OpenAIServer:
    """Answers ``POST /v1/chat/completions``, ``POST /v1/responses`` and ``GET /v1/models``.

    Args:
        script: the turns of each model.
        key: the API key that is wanted; None: any.
    """

    def __init__(self, script: Mapping[str, Sequence[Turn]] = DEFAULT_SCRIPT, *, key: str | None = None) -> None:
        self._script = script
        self._key = key
        self._places = dict.fromkeys(script, 0)
        self._runner: web.AppRunner | None = None
        self.requests: list[dict[str, Any]] = []
        """The bodies that were received."""
        self.release = asyncio.Event()
        """Lets the held answers go."""
        self.given_up = 0
        """Requests whose caller went away before the answer."""
        self.url = ""
        """The base URL, to be given to clients."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0: any free one."""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", functools.partial(self._answer, chat_answer))
        app.router.add_post("/v1/responses", functools.partial(self._answer, responses_answer))
        app.router.add_get("/v1/models", self._models)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.url = f"http://{host}:{self._runner.addresses[0][1]}/v1"

    @property
    def connections(self) -> int:
        """How many are open."""
        return 0 if self._runner is None or self._runner.server is None else len(self._runner.server.connections)

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _models(self, request: web.Request) -> web.Response:
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "script"} for name in self._script]
        return web.json_response({"object": "list", "data": models})

    async def _answer(self, form: Form, request: web.Request) -> web.StreamResponse:
        if self._key is not None and request.headers.get("Authorization") != f"Bearer {self._key}":
            return _error(401, "Incorrect API key provided.", "invalid_api_key")
        body = await request.json()
        self.requests.append(body)
        turns = self._script.get(body["model"])
        if turns is None:
            return _error(404, f"The model `{body['model']}` does not exist.", "model_not_found")
        turn = turns[min(self._places[body["model"]], len(turns) - 1)]
        self._places[body["model"]] += 1
        try:
            await asyncio.sleep(turn.get("delaySeconds", 0))
            if turn.get("held"):
                await self.release.wait()
            if "body" in turn:
                return web.Response(text=turn["body"], status=turn.get("status", 200), content_type="application/json")
            if "status" in turn:
                return _failed(turn)
            whole, events = form(body, turn)
            if turn.get("drips"):
                return await _drip(request, whole)
            return await self._stream(request, events, turn) if body.get("stream") else web.json_response(whole)
        except asyncio.CancelledError:
            self.given_up += 1
            raise

    async def _stream(self, request: web.Request, events: Iterable[dict[str, Any]], turn: Turn) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        told = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
        half = len(told) // 2
        for event in told[:half]:
            await response.write(event)
        if turn.get("breaksOff"):
            return response
        if turn.get("heldHalfway"):
            await self.release.wait()
        for event in (*told[half:], b"data: [DONE]\n\n"):
            await response.write(event)
        return response


async def _drip(request: web.Request, whole: dict[str, Any]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(300):
        await response.write(b" ")
        await asyncio.sleep(0.2)
    await response.write(json.dumps(whole).encode())
    return response


def _failed(turn: Turn) -> web.Response:
    message = turn.get("errorMessage", f"scripted status {turn['status']}")
    response = _error(turn["status"], message, turn.get("errorCode", "scripted"))
    if "retryAfter" in turn:
        response.headers["Retry-After"] = str(turn["retryAfter"])
    return response


def _error(status: int, message: str, code: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "error", "code": code}}, status=status)


async def main() -> None:
    """Serve until the process is stopped."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.openai_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--key")
    parser.add_argument("--script", type=Path)
    options = parser.parse_args()
    script = yaml.safe_load(options.script.read_text()) if options.script else DEFAULT_SCRIPT
    server = OpenAIServer(script, key=options.key)
    await server.start(options.host, options.port)
    sys.stderr.write(f"serving {', '.join(script)} at {server.url}\n")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
