"""The plain form of asking: one JSON object in, one out."""

from typing import Literal

from pydantic import BaseModel, ValidationError

from isek.api.schema import explain
from isek.asking import DEFAULT_USER, Answer
from isek.errors import CallError, IsekError
from isek.trace import TRACE_KEY, Trace


class PlainRequest(BaseModel):
    """A message to an agent. Further fields are passed over."""

    message: str
    sender_node_id: str = ""
    """Who says it sends this; never an identity."""
    session_id: str | None = None
    """The conversation, for an agent that remembers."""
    user_id: str = DEFAULT_USER
    """Whose memories may be used; never an identity."""


class PlainAnswer(BaseModel):
    """What the agent answered."""

    status: Literal["received"] = "received"
    response: str
    metadata: dict[str, Trace] = {}

    @classmethod
    def of(cls, answer: Answer) -> "PlainAnswer":
        """The answer as it goes out."""
        return cls(response=answer.text, metadata=_metadata(answer.trace))


class ErrorDetail(BaseModel):
    """What went wrong, and what to do."""

    code: str
    message: str
    hint: str = ""


class PlainFailure(BaseModel):
    """Why there is no answer."""

    status: Literal["failed"] = "failed"
    error: ErrorDetail
    metadata: dict[str, Trace] = {}

    @classmethod
    def of(cls, error: IsekError) -> "PlainFailure":
        """The error as it goes out."""
        detail = ErrorDetail(code=error.code, message=error.message, hint=error.hint)
        return cls(error=detail, metadata=_metadata(error.trace))


def read_plain_request(body: object) -> PlainRequest:
    """The request that a JSON body holds.

    Raises:
        CallError: ``InvalidRequest``; names each field that is wrong.
    """
    try:
        if isinstance(body, dict):
            check_spelling(body)
        return PlainRequest.model_validate(body)
    except ValidationError as error:
        raise CallError(
            "InvalidRequest",
            "; ".join(explain(error)),
            hint='send {"message": "…"}, with "session_id" and "user_id" if you like; or JSON-RPC of A2A',
            status=400,
        ) from None


def check_spelling(body: dict[str, object]) -> None:
    """Refuse what other forms say in camelCase: passed over, a conversation would be forgotten without a word.

    Raises:
        CallError: ``InvalidRequest``.
    """
    for said, meant in (("sessionId", "session_id"), ("userId", "user_id")):
        if said in body and meant not in body:
            raise CallError("InvalidRequest", f"{said}: no such field", hint=f"say {meant}", status=400)


def _metadata(trace: Trace | None) -> dict[str, Trace]:
    return {} if trace is None else {TRACE_KEY: trace}
