"""What the headers of a request say about its caller."""

import hmac
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from starlette.datastructures import Headers

from isek.asking import MAX_CALL_DEPTH, CallContext, IdempotencyKey
from isek.errors import CallError
from isek.node.settings import NodeSettings
from isek.protocol import headers as names
from isek.protocol.p2p import path_of
from isek.protocol.traceparent import child_of
from isek.trace import Path as CallPath


class SharedToken:
    """The secret that the node shares with its sidecar, which makes it; without one, nobody is the sidecar."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._value = b""

    @classmethod
    def of(cls, settings: NodeSettings) -> Self:
        """That of the node's sidecar, where it has one."""
        return cls(settings.p2p_token_file if settings.p2p_enabled else None)

    @property
    def expected(self) -> bool:
        """Whether there is a sidecar, by which alone other nodes come."""
        return self._file is not None

    def stands_in(self, headers: Headers) -> bool:
        """Whether the request comes from the sidecar; compared in constant time."""
        shown = headers.get(names.TOKEN)
        if shown is None or not self._known():
            return False
        return hmac.compare_digest(shown.encode(), self._value)

    def _known(self) -> bool:
        if not self._value and self._file is not None:
            with suppress(OSError):  # not there yet
                self._value = self._file.read_bytes().strip()
        return bool(self._value)


def call_context(headers: Headers, token: SharedToken) -> tuple[CallContext, CallPath]:
    """The context of the call, and the path by which it came. Whose peer it is counts only beside the shared token.

    Raises:
        CallError: ``InvalidRequest``, ``CallDepthExceeded``, ``DeadlineExceeded``.
    """
    timeout = _whole_number(headers, names.TIMEOUT)
    if timeout == 0:
        raise CallError(
            "DeadlineExceeded",
            f"{names.TIMEOUT} is 0: there is no time left",
            hint=f"give it the milliseconds that an answer may take, or leave {names.TIMEOUT} out",
            status=504,
        )
    depth = _whole_number(headers, names.CALL_DEPTH) or 0
    if depth > MAX_CALL_DEPTH:
        raise CallError(
            "CallDepthExceeded",
            f"the call is {depth} calls deep; {MAX_CALL_DEPTH} are allowed",
            hint="look for agents that ask each other in a circle",
            status=508,
        )
    peer_id = headers.get(names.PEER_ID) if token.stands_in(headers) else None
    context = CallContext(
        deadline=float("inf") if timeout is None else time.monotonic() + timeout / 1000,
        depth=depth,
        traceparent=child_of(headers.get(names.TRACEPARENT)),
        peer_id=peer_id,
        idempotency_key=_idempotency_key(headers),
        claim=_claim(headers) if peer_id or not token.expected else None,
    )
    return context, path_of(headers) if peer_id else "http"


def _idempotency_key(headers: Headers) -> IdempotencyKey | None:
    key, tried = headers.get(names.IDEMPOTENCY_KEY), _whole_number(headers, names.TRIED)
    if key is None:
        return None
    if not re.fullmatch(r"[!-~]{1,255}", key):
        raise CallError(
            "InvalidRequest",
            f"header {names.IDEMPOTENCY_KEY} must be 1 to 255 visible characters of ASCII",
            hint="send a UUID, new for each call",
            status=400,
        )
    return IdempotencyKey(key, None if tried is None else tried / 1000)


def _claim(headers: Headers) -> str | None:
    task_id = headers.get(names.CLAIM)
    if task_id is not None and not re.fullmatch(r"[0-9a-f]{32}", task_id):
        raise CallError("InvalidRequest", f"header {names.CLAIM} must be 32 hex digits", status=400)
    return task_id


def _whole_number(headers: Headers, name: str) -> int | None:
    text = headers.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise CallError("InvalidRequest", f"header {name} must be a whole number, not {text!r}", status=400)
    return int(text)
