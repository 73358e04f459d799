"""One call to one replica: told again while it is not known what became of it, for the replica runs it once."""

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from isek.asking import CallContext
from isek.errors import CallError
from isek.protocol import headers
from isek.protocol.http_client import DeliveryUnknownError, HttpAnswer, deadline_exceeded
from isek.protocol.p2p import SidecarAwayError

PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2, 2)
"""At most; together they last as long as a replica keeps a run whose caller was cut off."""
LONGEST_CALL_SECONDS = 24 * 3600.0

_KNOWS_NOT = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
"""What is said by who has come to host others, or to know the caller no more."""

Post = Callable[[Mapping[str, str], float], Awaitable[HttpAnswer]]
"""Sends the call with further headers, and within so many seconds."""


def new_key() -> str:
    """What a call is known by."""
    return uuid.uuid4().hex


async def deliver(post: Post, key: str, context: CallContext, to: str) -> HttpAnswer:
    """The answer to a call, told until there is one, or until there is no more to be hoped for.

    Args:
        post: sends it.
        key: of the call.
        context: its deadline counts.
        to: who is asked, for the messages of errors.

    Raises:
        CallError: retryable when nothing has happened for sure.
    """
    first_told: float | None = None
    unknown: CallError | None = None
    away: CallError | None = None
    for pause in (*PAUSES_SECONDS, None):
        now, within = time.monotonic(), min(context.remaining_seconds(), LONGEST_CALL_SECONDS)
        if within <= 0:
            raise unknown or away or deadline_exceeded(to)
        sent = {headers.TIMEOUT: str(max(1, int(within * 1000))), headers.IDEMPOTENCY_KEY: key}
        if first_told is None:
            first_told = now
        if unknown is not None:
            sent[headers.TRIED] = str(int((now - first_told) * 1000) + 1)
        try:
            answer = await post(sent, within)
        except DeliveryUnknownError as error:
            unknown = error
        except SidecarAwayError as error:
            away = error
            if unknown is None:
                first_told = None
        except CallError as error:
            # that it cannot be told again now does not mean that it did not arrive before
            if unknown is None or error.code != "AgentUnreachable":
                raise
        else:
            # who has been told before, and knows nothing now, says nothing of what was done then
            if unknown is None or answer.status not in _KNOWS_NOT:
                return answer
        if pause is None or pause >= context.remaining_seconds():
            raise unknown or away or deadline_exceeded(to)
        await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  (no secret)
    raise AssertionError("the last time is told apart by its pause")
