"""The client of the libp2p sidecar's local API."""

import asyncio
import functools
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic_core import from_json
from yarl import URL

from isek.errors import CallError
from isek.protocol import headers
from isek.protocol.http_client import (
    DeliveryUnknownError,
    HttpAnswer,
    HttpClient,
    HttpStream,
    OnStep,
    deadline_exceeded,
)
from isek.trace import Path as CallPath

POLL_SECONDS = 0.1
CONTEXT_SECONDS = 2.0
OWN = "the own sidecar"
OTHER_KEY = "; has it another private network key?"
"""Who dials with a key that a peer does not have is cut off without a word."""


class SidecarAwayError(CallError):
    """The own sidecar does not listen, so that nothing was sent: it is being started again, as a rule.

    It is not retryable: other replicas would be asked through the same sidecar.
    """


class PeerUnreachableError(CallError):
    """No path leads to the peer, so that nothing was sent; what a peer refuses has found its way."""


@dataclass(frozen=True)
class P2PContext:
    """How other peers reach this node."""

    peer_id: str
    p2p_address: str
    """A multiaddr with ``/p2p/<peer id>`` at its end."""
    network_keys: tuple[str, ...] = ()
    """Fingerprints of the private network keys that the sidecar accepts, the one that it dials with first."""
    relayed_addresses: tuple[str, ...] = ()
    """Further ways to the sidecar, through relays; they come and go."""


class Sidecar:
    """The libp2p sidecar beside this node.

    Args:
        url: of its local API.
        token_file: the secret they share; the sidecar makes it.
        max_answer_bytes: the largest answer of a peer that is read.
    """

    def __init__(self, url: str, token_file: Path, max_answer_bytes: int) -> None:
        self._url = URL(url)
        self._token_file = token_file
        self._authorization = ""
        self._http = HttpClient(max_answer_bytes)
        self._call_url = functools.lru_cache(maxsize=4096)(self._new_call_url)

    async def until_up(self, within: float = float("inf")) -> P2PContext:
        """Wait until the sidecar answers: it starts on its own.

        Raises:
            CallError: ``AgentUnreachable`` when it does not within so many seconds; the last reason is in the message.
        """
        begun = time.monotonic()
        while True:
            try:
                return await self.p2p_context()
            except CallError:
                if time.monotonic() - begun > within:
                    raise
            await asyncio.sleep(POLL_SECONDS)

    async def p2p_context(self) -> P2PContext:
        """Who this node is in the libp2p network.

        Raises:
            CallError: ``AgentUnreachable``.
        """
        answer = await self._request("GET", self._url / "p2p_context", {}, None, to=OWN, within=CONTEXT_SECONDS)
        if answer.status != 200:
            raise sidecar_error(answer, OWN)
        return read_context(answer.body)

    async def call_peer(
        self,
        p2p_addresses: tuple[str, ...],
        method: str,
        path: str,
        body: bytes | None,
        request_headers: Mapping[str, str],
        *,
        to: str,
        within: float,
        on_step: OnStep | None = None,
    ) -> HttpAnswer:
        """A request to a path of a peer's node, and its answer; ``headers.PATH`` of it says how it came.

        Args:
            p2p_addresses: the ways to the peer.
            method: of HTTP.
            path: at its node.
            body: of the request.
            request_headers: of the request.
            to: who is asked, for the messages of errors.
            within: seconds until the end of the answer.
            on_step: as :meth:`isek.protocol.http_client.HttpClient.request` has it.

        Raises:
            CallError: ``AgentUnreachable``, ``DeadlineExceeded``, ``AnswerTooLarge``, or what the sidecars refuse the
                request for; ``SidecarAwayError``.
        """
        url = self._call_url(p2p_addresses, method, path)
        answer = await self._request(
            "POST", url, request_headers, body, to=f"{to}, through {OWN},", within=within, on_step=on_step
        )
        if headers.P2P_ERROR in answer.headers:
            raise sidecar_error(answer, to)
        return answer

    @asynccontextmanager
    async def stream_peer(
        self,
        p2p_addresses: tuple[str, ...],
        path: str,
        body: bytes,
        request_headers: Mapping[str, str],
        *,
        to: str,
        within: float,
    ) -> AsyncGenerator[HttpStream]:
        """As :meth:`call_peer` with ``POST``, for an answer that comes bit by bit."""
        await self.p2p_context()  # has the right token from here on
        url = self._call_url(p2p_addresses, "POST", path)
        sent = {**request_headers, "Authorization": self._authorization}
        asked = f"{to}, through {OWN},"
        async with self._http.stream("POST", url, to=asked, headers=sent, within=within, body=body) as answer:
            if headers.P2P_ERROR in answer.headers:
                told = b"".join([chunk async for chunk in answer.chunks])
                raise sidecar_error(HttpAnswer(answer.status, answer.headers, told), to)
            yield answer

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _request(
        self,
        method: str,
        url: URL,
        request_headers: Mapping[str, str],
        body: bytes | None,
        *,
        to: str,
        within: float,
        on_step: OnStep | None = None,
    ) -> HttpAnswer:
        if not self._authorization:
            self._authorization = self._read_token()
        for _ in range(2):
            sent = {**request_headers, "Authorization": self._authorization}
            try:
                answer = await self._http.request(
                    method, url, to=to, headers=sent, within=within, body=body, on_step=on_step
                )
            except CallError as error:
                if error.retryable:
                    raise SidecarAwayError(error.code, error.message, hint=error.hint) from None
                raise
            if answer.headers.get(headers.P2P_ERROR) != "Unauthorized":
                break
            self._authorization = self._read_token()  # the sidecar was started anew with another one
        return answer

    def _read_token(self) -> str:
        try:
            return f"Bearer {self._token_file.read_text().strip()}"
        except OSError as error:
            raise CallError(
                "AgentUnreachable",
                f"the sidecar's token cannot be read: {self._token_file}: {error.strerror}",
                hint="the sidecar makes it when it starts; check that it runs and that both name the same file",
            ) from None

    def _new_call_url(self, p2p_addresses: tuple[str, ...], method: str, path: str) -> URL:
        return (self._url / "call_peer").with_query(p2p_address=p2p_addresses, method=method, path=path)


def path_of(said: Mapping[str, str]) -> CallPath:
    """How a call came between two sidecars, by the headers of one; older ones know the direct way only."""
    return "relay" if said.get(headers.PATH) == "relay" else "libp2p"


def read_context(body: bytes) -> P2PContext:
    """Who a sidecar says it is.

    Raises:
        CallError: ``AgentUnreachable``: it says something else.
    """
    try:
        context = from_json(body)
        direct, further = str(context["p2p_address"]), map(str, context.get("p2p_addresses", ()))
        relayed = tuple(each for each in further if each != direct)
        return P2PContext(str(context["peer_id"]), direct, tuple(map(str, context.get("network_keys", ()))), relayed)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CallError("AgentUnreachable", f"{OWN} answered in no form that is known: {body[:100]!r}") from None


def sidecar_error(answer: HttpAnswer, to: str) -> CallError:
    """What a sidecar says of a request that came to no answer."""
    code = answer.headers.get(headers.P2P_ERROR, f"HTTP {answer.status}")
    if code == "DeadlineExceeded":
        return deadline_exceeded(to)
    try:
        error = from_json(answer.body)["error"]
        message, hint = str(error["message"]), str(error["hint"])
        delivered = str(error.get("delivered", "Unknown"))
    except (ValueError, KeyError, TypeError, AttributeError):
        message, hint, delivered = answer.body.decode(errors="replace")[:200], "", "Unknown"
    if code == "BodyTooLarge":
        return CallError(code, message, hint=hint, status=answer.status)
    reason = f"{to} cannot be reached: {code}: {message}"
    nothing_happened = delivered == "No" or code == "PeerRefused"
    if delivered == "No" and "ECONNRESET" in message:
        reason += OTHER_KEY
    if not nothing_happened and answer.status >= 500:
        return DeliveryUnknownError("AgentUnreachable", reason, hint=hint)
    kind = PeerUnreachableError if code == "PeerUnreachable" and nothing_happened else CallError
    return kind("AgentUnreachable", reason, hint=hint, retryable=nothing_happened)
