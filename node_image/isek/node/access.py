"""The gate that all pass who ask an agent of this node, whatever they speak."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from starlette.datastructures import Address, Headers

from isek.api.access import AgentAccess, Jwt, OutsideAccess
from isek.asking import CallContext
from isek.errors import CallError
from isek.log import log
from isek.node.allowed import check_agent
from isek.node.caller import SharedToken, call_context
from isek.node.hosted import Built, Hosted
from isek.node.rate_limit import RateLimits
from isek.node.settings import NodeSettings
from isek.node.tokens import Tokens
from isek.protocol import headers as names
from isek.protocol.http_client import HttpClient
from isek.registry import NodeRecord
from isek.trace import Path as CallPath

if TYPE_CHECKING:  # PyJWT brings cryptography along, which few need
    from isek.node.json_web_tokens import JsonWebTokens

MAX_KEY_SET_BYTES = 256 * 1024
CHALLENGE = 'Bearer realm="isek"'
"""RFC 6750, 3."""
ABuilt = TypeVar("ABuilt", bound=Built)


class Gate:
    """Finds out who asks, and lets pass whom ``spec.access`` of the asked agent lets in.

    Args:
        settings: of this node.
        token: by which the own sidecar is known: it alone says which peer calls.
        of_peer: the records of the nodes that have a libp2p peer id.
    """

    def __init__(
        self, settings: NodeSettings, token: SharedToken, of_peer: Callable[[str], tuple[NodeRecord, ...]]
    ) -> None:
        self._access_dir = settings.access_dir
        self._outside = settings.outside
        self._token = token
        self._of_peer = of_peer
        self._limits = RateLimits()
        self._http = HttpClient(MAX_KEY_SET_BYTES)
        self._tokens: dict[str, Tokens] = {}
        self._issuers: dict[Jwt, JsonWebTokens] = {}

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.close()

    def is_sidecar(self, headers: Headers) -> bool:
        """Whether the request comes from the own sidecar."""
        return self._token.stands_in(headers)

    async def admit(self, headers: Headers, client: Address | None, hosted: Hosted) -> tuple[CallContext, CallPath]:
        """The context of a call of ``hosted`` by whoever may make it, and the path by which it came.

        Args:
            headers: of the request; with gRPC, its metadata.
            client: the other end of the connection.
            hosted: who is asked.

        Raises:
            CallError: ``Unauthorized``, ``Forbidden``, ``RateLimited``, ``AccessUnavailable``; its ``response_headers``
                belong to the answer. As :func:`isek.node.caller.call_context`.
        """
        context, path = call_context(headers, self._token)
        try:
            return await self._checked(headers, client, context, hosted), path
        except CallError as error:
            log().info("refused", agent=hosted.name, outcome=error.code, peerId=context.peer_id, reason=error.message)
            raise

    def nodes(self, headers: Headers, hosted: Sequence[Hosted]) -> tuple[NodeRecord, ...] | None:
        """The nodes of the mesh that a request may come from; None: any, in a mesh without sidecars, where anyone may
        ask all that are ``hosted``.

        Raises:
            CallError: ``Forbidden``: it comes from none, or nobody can tell.
        """
        if not self._token.expected:
            guarded = next((each for each in hosted if not each.access.anyone), None)
            if guarded is not None:
                raise CallError(
                    "Forbidden",
                    f"{guarded.address} does not let in anyone, and without libp2p nobody can tell which node asks",
                    hint="run the mesh with libp2p, or host the agent elsewhere",
                    status=403,
                )
            return None
        context = self.context(headers)
        records = self._of_peer(context.peer_id) if context.peer_id else ()
        if not records:
            raise CallError("Forbidden", "only nodes of the mesh may ask this", status=403)
        return records

    def context(self, headers: Headers) -> CallContext:
        """What the headers say, where nobody in particular is asked.

        Raises:
            CallError: as :func:`isek.node.caller.call_context`.
        """
        return call_context(headers, self._token)[0]

    async def known(self, headers: Headers, client: Address | None, hosted: Built) -> CallContext:
        """As :meth:`admit`, where nothing is asked yet, or any more: it counts for no rate limit.

        Raises:
            CallError: as :meth:`admit`.
        """
        context, _ = call_context(headers, self._token)
        return await self._checked(headers, client, context, hosted, counts=False)

    async def let_in(self, headers: Headers, client: Address | None, among: Sequence[Hosted]) -> None:
        """Return where the caller may ask one of these, before it is read whom.

        Raises:
            CallError: as :meth:`admit`, where it may ask none.
        """
        refusal = None
        for hosted in among:
            try:
                await self.known(headers, client, hosted)
            except CallError as error:
                refusal = refusal or error
            else:
                return
        if refusal is not None:
            raise refusal

    async def visible(self, headers: Headers, client: Address | None, among: Sequence[ABuilt]) -> tuple[ABuilt, ...]:
        """Those whom a caller may ask.

        Raises:
            CallError: as :meth:`admit`, where these are none of several. ``Forbidden``: there is nobody to ask, and
                the mesh does not let in anyone.
        """
        if not among and self._outside == "Nobody" and self.context(headers).peer_id is None:
            raise CallError(
                "Forbidden",
                "this node hosts nobody who could let in callers from outside",
                hint="ask a node that hosts an agent; see spec.access.outside of the IsekMesh",
                status=403,
            )
        found, refusal = [], None
        for hosted in among:
            try:
                await self.known(headers, client, hosted)
                found.append(hosted)
            except CallError as error:
                refusal = refusal or error
        if refusal is not None and not found:
            raise refusal
        return tuple(found)

    async def _checked(
        self, headers: Headers, client: Address | None, context: CallContext, hosted: Built, *, counts: bool = True
    ) -> CallContext:
        if context.peer_id is not None:
            return self._peer(headers, context, hosted)
        return await self._outsider(headers, client, context, hosted, counts=counts)

    def _peer(self, headers: Headers, context: CallContext, hosted: Built) -> CallContext:
        """A node of the mesh speaks for the agents that it hosts, and for no others."""
        records = self._of_peer(str(context.peer_id))
        if not records:
            raise CallError(
                "PeerRefused",
                f"peer {context.peer_id} is not in the registry of the mesh, or not any more",
                hint="a node that has just started may ask again",
                status=403,
            )
        said = headers.get(names.CALLER)
        name, _, namespace = (said or "").partition(".")
        host = next((each for each in records if each.namespace == namespace and each.speaks_for(name)), None)
        caller = said if host else None
        check_agent(hosted, caller, (host or records[0]).namespace)
        return replace(context, caller=caller)

    async def _outsider(
        self, headers: Headers, client: Address | None, context: CallContext, hosted: Built, *, counts: bool
    ) -> CallContext:
        outside = hosted.access.outside or OutsideAccess()
        if outside.from_ == "Nobody":
            raise CallError(
                "Forbidden",
                f"{hosted.address} is for agents of its mesh alone",
                hint=f"see spec.access.outside of {hosted.address}",
                status=403,
            )
        chosen = (hosted.access.agents or AgentAccess()).from_ != "Mesh"
        if chosen and self._token.expected and names.CALLER in headers:
            raise CallError(
                "Forbidden",
                f"which agent of the mesh calls {hosted.address} can be told over libp2p alone, and this is HTTP",
                hint=f"see spec.access.agents of {hosted.address}, and spec.p2p.fallback of the mesh",
                status=403,
            )
        address = client.host if client else ""
        try:
            who = await self._authenticated(headers, outside) if outside.from_ == "Authenticated" else None
        except CallError as error:
            if error.code == "Unauthorized":  # else tokens could be tried at any speed
                self._count(outside, hosted, address, refused=error)
            raise
        if counts:
            self._count(outside, hosted, who or address)
        # without sidecars nodes come as all others do, and their claims with them
        return replace(context, outsider=who, claim=context.claim if hosted.access.anyone else None)

    async def _authenticated(self, headers: Headers, outside: OutsideAccess) -> str:
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        shown = shown.strip()
        if scheme.lower() != "bearer" or not shown:
            raise _unauthorized("a bearer token is needed", CHALLENGE)
        if outside.tokens_secret is not None and (name := self._whose(outside.tokens_secret.name, shown, outside)):
            return f"token:{name}"
        why = "nobody has such a token"
        if outside.jwt is not None and shown.count(".") == 2:
            from isek.node.json_web_tokens import NotAcceptedError  # noqa: PLC0415

            try:
                return f"jwt:{await self._issuer(outside.jwt).subject(shown)}"
            except NotAcceptedError as error:
                why = str(error)
        raise _unauthorized(f"the token is not accepted: {why}", f'{CHALLENGE}, error="invalid_token"')

    def _whose(self, secret: str, shown: str, outside: OutsideAccess) -> str | None:
        tokens = self._tokens.setdefault(secret, Tokens(self._access_dir / secret))
        try:
            return tokens.whose(shown)
        except OSError as error:
            if outside.jwt is not None:
                return None
            message = f"Secret {secret!r} with the tokens of callers cannot be read: {error.strerror}"
            raise CallError("AccessUnavailable", message, hint="create it", status=503) from None

    def _issuer(self, settings: Jwt) -> "JsonWebTokens":
        from isek.node.json_web_tokens import JsonWebTokens  # noqa: PLC0415

        if settings not in self._issuers:
            self._issuers[settings] = JsonWebTokens(settings, self._http)
        return self._issuers[settings]

    def _count(self, outside: OutsideAccess, hosted: Built, who: str, *, refused: CallError | None = None) -> None:
        if outside.rate_limit is None:
            return
        wait = self._limits.wait((hosted.address, who), outside.rate_limit)
        if wait > 0:
            most = f"{hosted.address} may be called {outside.rate_limit.requests_per_minute} times a minute by each"
            again = f"ask again in {math.ceil(wait)} s"
            if refused is not None:
                most = f"too many calls from this address were refused, the last one because {refused.message}; {most}"
                again = f"check the token ({refused.hint}), and {again}"
            error = CallError("RateLimited", most, hint=again, status=429)
            error.response_headers["Retry-After"] = str(math.ceil(wait))
            raise error


def _unauthorized(message: str, challenge: str) -> CallError:
    error = CallError("Unauthorized", message, hint=names.SHOW_TOKEN, status=401)
    error.response_headers["WWW-Authenticate"] = challenge
    return error
