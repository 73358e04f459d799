"""``/v1/responses``: agents by OpenAI's Responses API."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive

from isek.asking import Answer, CallContext
from isek.errors import CallError, IsekError
from isek.models.base import Message
from isek.models.characters import characters_of
from isek.node.access import Gate
from isek.node.conversation import asked_of, latest_input
from isek.node.endpoint import Endpoint, may_be_large, parse_json, while_connected
from isek.node.host import Host
from isek.node.line_stream import LineStream, after
from isek.node.openai_form import error_body
from isek.node.recent import Recent, Unfinished
from isek.node.response_events import ResponseInMaking
from isek.node.responses_form import ResponsesRequest, read_responses_request
from isek.protocol import headers
from isek.streaming import events_of

OTHERWISE = (
    "send the whole conversation as input, or session_id to an agent that remembers; responses are kept for a while, "
    "by the replica that gave them"
)


@dataclass(frozen=True)
class Kept:
    """A response that its caller may come back to."""

    body: dict[str, Any]
    said: tuple[Message, ...]
    """The conversation, the answer included."""
    owner: str
    """See :attr:`isek.asking.CallContext.owner`."""


class ResponsesEndpoint(Endpoint):
    """``POST /v1/responses``: ``model`` is the agent.

    Args:
        host: of the agents.
        gate: lets callers in.
        max_body_bytes: of a request.
        unfinished: what had been said until agents wanted calls of callers' tools.
        kept: the responses.
    """

    def __init__(self, host: Host, gate: Gate, max_body_bytes: int, unfinished: Unfinished, kept: Recent[Kept]) -> None:
        super().__init__(host, max_body_bytes)
        self._gate = gate
        self._unfinished = unfinished
        self._kept = kept

    async def _respond(self, request: Request, receive: Receive) -> Response:
        if may_be_large(request):  # whoever may ask nobody is not to be listened to for long
            await self._gate.let_in(request.headers, request.client, self._host.hosted)
        form = read_responses_request(parse_json(await self._read(request)))
        hosted = self._host.find(form.model)
        context, path = await self._gate.admit(request.headers, request.client, hosted)
        session_id = form.session_id or request.headers.get(headers.SESSION_ID)
        conversation = [*await self._before(form, request), *form.said()]
        told = [Message("system", form.instructions)] if form.instructions else []
        remembered = hosted.remembers and session_id is not None
        asked = asked_of(hosted, [*told, *conversation], form.wish(), self._unfinished, remembered=remembered)
        making = ResponseInMaking(hosted.runner.name, form.echoed())

        async def answer(observed: CallContext) -> Answer:
            return await self._host.answer(hosted.name, asked.message, observed, path=path)

        def keep(answered: Answer) -> None:
            if answered.wanted is not None:
                said = answered.wanted.said
                self._unfinished.keep(answered.wanted.calls[0].id, said, characters_of(said))
            if form.store is not False:
                kept = Kept(making.body, _continued(conversation, answered), context.owner)
                self._kept.keep(making.id, kept, characters_of(kept.said) + len(json.dumps(kept.body)))

        context = replace(context, session_id=session_id, user_id=form.user_id, brought=asked.brought)
        if form.stream:
            lines = _lines(making, answer, context, keep)
            first = await while_connected(receive, anext(lines))  # raises what keeps the run from beginning
            return LineStream(after(first, lines), lines, "text/event-stream", beat=": \n\n")
        answered = await while_connected(receive, answer(replace(context, on_event=making.count)))
        for _ in making.complete(answered):
            pass
        keep(answered)
        return JSONResponse(making.body)

    async def _before(self, form: ResponsesRequest, request: Request) -> tuple[Message, ...]:
        if form.previous_response_id is None:
            return ()
        kept = await _of_caller(request, form.previous_response_id, self._kept, self._host, self._gate)
        if kept is None:
            raise CallError(
                "ResponseNotFound",
                f"previous_response_id: {form.previous_response_id[:100]!r} is not known here",
                hint=OTHERWISE,
                status=400,
            )
        return kept.said

    def _failure(self, error: IsekError) -> Response:
        again = isinstance(error, CallError) and error.retryable  # else a client would run the agent a second time
        said = {"x-should-retry": str(again).lower(), **headers.of_error(error)}
        return JSONResponse(error_body(error), error.status, said)


class KeptResponses:
    """``GET`` and ``DELETE /v1/responses/{id}``: those that this node keeps, for whom they were made, while they may
    ask their agent."""

    def __init__(self, host: Host, gate: Gate, kept: Recent[Kept]) -> None:
        self._host = host
        self._gate = gate
        self._kept = kept

    async def one(self, request: Request) -> Response:
        """One of them."""
        try:
            return JSONResponse((await self._find(request)).body)
        except CallError as error:
            return JSONResponse(error_body(error), error.status, headers.of_error(error))

    async def delete(self, request: Request) -> Response:
        """Forget it."""
        try:
            kept = await self._find(request)
        except CallError as error:
            return JSONResponse(error_body(error), error.status, headers.of_error(error))
        self._kept.forget(kept.body["id"])
        return JSONResponse({"id": kept.body["id"], "object": "response", "deleted": True})

    async def _find(self, request: Request) -> Kept:
        key = request.path_params["id"]
        kept = await _of_caller(request, key, self._kept, self._host, self._gate)
        if kept is None:
            raise CallError("ResponseNotFound", f"response {key[:100]!r} is not known here", hint=OTHERWISE, status=404)
        return kept


async def _of_caller(request: Request, key: str, kept: Recent[Kept], host: Host, gate: Gate) -> Kept | None:
    """What is kept under the key; None: nothing, or somebody else's.

    Raises:
        CallError: who asks may not ask its agent.
    """
    found = kept.get(key)
    if found is None:
        return None
    context = await gate.known(request.headers, request.client, host.find(found.body["model"]))
    return found if context.owner == found.owner else None


async def _lines(
    making: ResponseInMaking,
    answer: Callable[[CallContext], Awaitable[Answer]],
    context: CallContext,
    keep: Callable[[Answer], None],
) -> AsyncGenerator[str]:
    """The events of a run. An error of one that has begun is the last.

    Raises:
        IsekError: the run did not begin.
    """
    answers: list[Answer] = []

    async def respond(observed: CallContext) -> None:
        answers.append(await answer(observed))

    begun = False
    try:
        async with aclosing(events_of(respond, context)) as events:
            async for event in events:
                for line in (*(() if begun else making.begin()), *making.take(event)):
                    yield line
                begun = True
    except IsekError as error:
        if not begun:
            raise
        for line in making.fail(error):
            yield line
        return
    [answered] = answers
    last = [*(() if begun else making.begin()), *making.complete(answered)]
    keep(answered)  # before the caller gets to know of it, and comes back
    for line in last:
        yield line


def _continued(conversation: list[Message], answered: Answer) -> tuple[Message, ...]:
    """The conversation with what it came to."""
    if answered.wanted is None:
        return (*conversation, Message("assistant", answered.text))
    return (*conversation[: latest_input(conversation)], *answered.wanted.said)
