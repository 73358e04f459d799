"""The plain form on the caller's side: what goes to ``/agents/<name>``, and how the answer is read."""

import json
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from isek.asking import DEFAULT_USER, Answer, CallContext
from isek.errors import CallError, IsekError, RunError
from isek.protocol import headers
from isek.protocol.http_client import HttpAnswer
from isek.protocol.traceparent import child_of
from isek.trace import TRACE_KEY, Trace

_REFUSALS = frozenset({"AgentNotFound", "Draining", "PeerRefused", "TooManyTasks"})
"""Said before anything has happened: another replica may be asked."""
_CALL_ERRORS = _REFUSALS | {
    "AccessUnavailable",
    "AgentUnreachable",
    "AnswerTooLarge",
    "BodyTooLarge",
    "CallCancelled",
    "CallDepthExceeded",
    "ClaimLost",
    "ClaimsUnavailable",
    "DeliveryUnknown",
    "Forbidden",
    "InvalidRequest",
    "NodeStopped",
    "RateLimited",
    "TaskClaimed",
    "Unauthorized",
}


def request_body(sender_node_id: str, message: str, context: CallContext) -> bytes:
    """``{"sender_node_id", "message", "session_id"?, "user_id"?}``."""
    body = {"sender_node_id": sender_node_id, "message": message}
    if context.session_id is not None:
        body["session_id"] = context.session_id
    if context.user_id != DEFAULT_USER:
        body["user_id"] = context.user_id
    return json.dumps(body).encode()


def request_headers(context: CallContext) -> dict[str, str]:
    """What travels with a call whenever it is told: depth and trace, and who asks."""
    said_by = {} if context.caller is None else {headers.CALLER: context.caller}
    claim = {} if context.claim is None else {headers.CLAIM: context.claim}
    return {
        **said_by,
        **claim,
        "Content-Type": "application/json",
        headers.CALL_DEPTH: str(context.depth),
        headers.TRACEPARENT: child_of(context.traceparent),
    }


def read_answer(answer: HttpAnswer, address: str) -> Answer:
    """The answer of an agent.

    Raises:
        CallError: it was not asked, or something else than a node answered.
        RunError: it was asked and failed; the code is its own.
    """
    try:
        body = from_json(answer.body)
        trace = _trace(body)
        status = int(body.get("httpStatus", answer.status))
        if status >= 600:
            raise ValueError("no status of HTTP")  # noqa: TRY301
        if status < 400:
            return Answer(str(body["response"]), trace)
        error = _error(body["error"], status, trace)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        start = answer.body[:100].decode(errors="replace")
        raise CallError(
            "AgentUnreachable",
            f"{address} answered HTTP {answer.status} in no form that is known: {start!r}",
            hint="check that the address in the registry is that of an Isek node",
        ) from None
    raise error


def _error(error: dict[str, Any], status: int, trace: Trace | None) -> IsekError:
    code, message, hint = str(error["code"]), str(error.get("message", "")), str(error.get("hint", ""))
    if code not in _CALL_ERRORS:
        failed = RunError(code, message, hint=hint, status=status, trace=trace)
        failed.repeatable = error.get("repeatable") is not False
        return failed
    nothing_happened = trace is None or not trace.children
    retryable = code in _REFUSALS and nothing_happened
    return CallError(code, message, hint=hint, status=status, trace=trace, retryable=retryable)


def _trace(body: dict[str, Any]) -> Trace | None:
    told = (body.get("metadata") or {}).get(TRACE_KEY)
    if told is None:
        return None
    try:
        return Trace.model_validate(told)
    except ValidationError:  # that of another version: the answer is worth more than its trace
        return None
