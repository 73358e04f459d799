"""``/v1``: the agents of a node as the models of OpenAI's API, for all that speaks it."""

import json
import time
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive

from isek.asking import Answer, CallContext
from isek.errors import CallError, IsekError
from isek.events import TextDelta
from isek.loop_result import Wanted
from isek.models.base import ToolCall, Usage
from isek.models.characters import characters_of
from isek.node.access import Gate
from isek.node.chat_form import read_chat_request
from isek.node.conversation import asked_of
from isek.node.endpoint import Endpoint, may_be_large, parse_json, while_connected
from isek.node.host import Host
from isek.node.hosted import Hosted
from isek.node.line_stream import LineStream
from isek.node.openai_form import EXTENSION, added, error_body, step_body, trace_body, usage_body
from isek.node.recent import Unfinished
from isek.protocol import headers
from isek.streaming import events_of

Json = dict[str, Any]

TAIL_LENGTH = 1024 * 1024
"""Characters of a streamed answer by which it is known again at its end."""


class ChatEndpoint(Endpoint):
    """``POST /v1/chat/completions``: ``model`` is the agent, ``user`` whose memories it may use, ``session_id`` (or the
    header ``Isek-Session-Id``) the conversation."""

    def __init__(self, host: Host, gate: Gate, max_body_bytes: int, unfinished: Unfinished) -> None:
        super().__init__(host, max_body_bytes)
        self._gate = gate
        self._unfinished = unfinished

    async def _respond(self, request: Request, receive: Receive) -> Response:
        if may_be_large(request):  # whoever may ask nobody is not to be listened to for long
            await self._gate.let_in(request.headers, request.client, self._host.hosted)
        form = read_chat_request(parse_json(await self._read(request)))
        hosted = self._host.find(form.model)
        context, path = await self._gate.admit(request.headers, request.client, hosted)
        session_id = form.session_id or request.headers.get(headers.SESSION_ID)
        remembered = hosted.remembers and session_id is not None
        asked = asked_of(hosted, form.conversation(), form.wish(), self._unfinished, remembered=remembered)

        async def answer(observed: CallContext) -> Answer:
            answered = await self._host.answer(hosted.name, asked.message, observed, path=path)
            if answered.wanted is not None:
                said = answered.wanted.said
                self._unfinished.keep(answered.wanted.calls[0].id, said, characters_of(said))
            return answered

        context = replace(context, session_id=session_id, user_id=form.user_id, brought=asked.brought)
        completion = _Completion(hosted, answer, context)
        if not form.stream:
            return JSONResponse(await while_connected(receive, completion.whole()))
        chunks = completion.chunks(include_usage=form.include_usage)
        first = await while_connected(receive, anext(chunks))  # raises what keeps the run from beginning
        return LineStream(_lines(first, chunks), chunks, "text/event-stream", beat=": \n\n")

    def _failure(self, error: IsekError) -> Response:
        again = isinstance(error, CallError) and error.retryable  # else a client would run the agent a second time
        said = {"x-should-retry": str(again).lower(), **headers.of_error(error)}
        return JSONResponse(error_body(error), error.status, said)


class Models:
    """``GET /v1/models`` and ``GET /v1/models/{model}``: those that the caller may ask."""

    def __init__(self, host: Host, gate: Gate) -> None:
        self._host = host
        self._gate = gate
        self._created = int(time.time())

    async def all(self, request: Request) -> Response:
        """What the node hosts."""
        try:
            visible = await self._gate.visible(request.headers, request.client, self._host.hosted)
        except CallError as error:
            return _refused(error)
        return JSONResponse({"object": "list", "data": [self._body(hosted) for hosted in visible]})

    async def one(self, request: Request) -> Response:
        """One of them."""
        try:
            hosted = self._host.find(request.path_params["model"])
            await self._gate.visible(request.headers, request.client, [hosted])
        except CallError as error:
            return _refused(error)
        return JSONResponse(self._body(hosted))

    def _body(self, hosted: Hosted) -> Json:
        about = {"kind": hosted.kind, "description": hosted.runner.description, "address": hosted.address}
        model = {"id": hosted.name, "object": "model", "created": self._created, "owned_by": hosted.namespace}
        return model | {EXTENSION: about}


def _refused(error: CallError) -> Response:
    return JSONResponse(error_body(error), error.status, headers.of_error(error))


class _Completion:
    """One run, as it happens or as a whole."""

    def __init__(
        self, hosted: Hosted, answer: Callable[[CallContext], Awaitable[Answer]], context: CallContext
    ) -> None:
        self._hosted = hosted
        self._answer = answer
        self._context = context
        self._usage = Usage()
        self._head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": hosted.name}

    async def whole(self) -> Json:
        """The answer with its usage."""
        answer = await self._answer(replace(self._context, on_event=self._count))
        message: Json = {"role": "assistant", "content": answer.text, "refusal": None}
        if answer.wanted is not None:
            message |= {"content": answer.text or None, "tool_calls": _calls(answer.wanted)}
        choice = {"index": 0, "message": message, "finish_reason": _finish(answer), "logprobs": None}
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [choice],
            "usage": usage_body(self._usage),
            EXTENSION: trace_body(answer),
        }

    async def chunks(self, *, include_usage: bool) -> AsyncGenerator[Json]:
        """The pieces of the answer, and the steps on the way to it. An error of a run that has begun is the last.

        Raises:
            IsekError: the run did not begin.
        """
        answers: list[Answer] = []

        async def respond(context: CallContext) -> None:
            answers.append(await self._answer(context))

        told, begun = _Tail(), False
        try:
            async with aclosing(events_of(respond, self._context)) as events:
                async for event in events:
                    if not begun:
                        yield self._chunk({"role": "assistant", "content": ""})
                        begun = True
                    self._count(event)
                    if not isinstance(event, TextDelta):
                        yield self._chunk({}, extension=step_body(event))
                    elif event.agent == self._hosted.runner.name:
                        told.add(event.text)
                        yield self._chunk({"content": event.text})
        except IsekError as error:
            if not begun:
                raise
            yield error_body(error)
            return
        [answer] = answers
        if not told.ends_with(answer.text):  # a team's answer is its members', who speak for themselves
            yield self._chunk({"content": answer.text})
        if answer.wanted is not None:
            calls = [{"index": place, **call} for place, call in enumerate(_calls(answer.wanted))]
            yield self._chunk({"tool_calls": calls})
        yield self._chunk({}, finish_reason=_finish(answer), extension=trace_body(answer))
        if include_usage:
            yield {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": usage_body(self._usage)}

    def _count(self, event: object) -> None:
        self._usage = added(self._usage, event)

    def _chunk(self, delta: Json, *, finish_reason: str | None = None, extension: Json | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        chunk = {**self._head, "object": "chat.completion.chunk", "choices": [choice]}
        return chunk if extension is None else chunk | {EXTENSION: extension}


class _Tail:
    """The end of what was said; a stream has no bound."""

    def __init__(self) -> None:
        self._pieces: deque[str] = deque()
        self._length = 0

    def add(self, piece: str) -> None:
        self._pieces.append(piece)
        self._length += len(piece)
        while self._length - len(self._pieces[0]) >= TAIL_LENGTH:
            self._length -= len(self._pieces.popleft())

    def ends_with(self, text: str) -> bool:
        return "".join(self._pieces).endswith(text[-TAIL_LENGTH:])


async def _lines(first: Json, rest: AsyncGenerator[Json]) -> AsyncGenerator[str]:
    """Chunks as server-sent events, ``[DONE]`` the last."""
    yield _line(first)
    async for chunk in rest:
        yield _line(chunk)
    yield "data: [DONE]\n\n"


def _line(chunk: Json) -> str:
    return f"data: {json.dumps(chunk)}\n\n"


def _finish(answer: Answer) -> str:
    return "stop" if answer.wanted is None else "tool_calls"


def _calls(wanted: Wanted) -> list[Json]:
    return [_call(call) for call in wanted.calls]


def _call(call: ToolCall) -> Json:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
